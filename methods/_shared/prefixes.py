"""Prompt prefixes that fit into a model's context."""

ROOM = 0.5  # fraction of the context that a prefix may take


def fitting(parts, tokenizer, model):
    """As many of the first parts as fit into the share `ROOM` of the context, at least one."""
    config = model.config.get_text_config(decoder=True)
    room = ROOM * getattr(config, "max_position_embeddings", 2048)
    kept: list[str] = []
    for part in parts:
        room -= len(tokenizer(f"{part} ")["input_ids"])
        if kept and room < 0:
            break
        kept.append(part)
    return kept
