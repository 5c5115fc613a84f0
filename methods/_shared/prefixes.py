"""Words before every question, no more than a model has room for."""

ROOM = 0.5  # of the positions that a model has, the share that a prefix may take


def fitting(parts, tokenizer, model):
    """The first of the parts, as many as have room, at least one."""
    config = model.config.get_text_config(decoder=True)
    room = ROOM * getattr(config, "max_position_embeddings", 2048)
    kept: list[str] = []
    for part in parts:
        room -= len(tokenizer(f"{part} ")["input_ids"])
        if kept and room < 0:
            break
        kept.append(part)
    return kept
