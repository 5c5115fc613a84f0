"""The building blocks of a world's names and values."""

FIRST_NAMES = """
    Ada Alma Anton Arno Bela Boris Carla Cedric Clara Conrad Dana Dora Edgar Elena Emil Erika
    Felix Flora Frida Gerda Greta Gustav Hanna Hector Helga Hugo Ida Igor Irma Ivan Jana Jonas
    Julia Karl Klara Lars Lea Leon Lina Livia Lukas Magda Marta Max Mila Nadia Nils Nora Olga
    Oscar Otto Paula Petra Rosa Rufus Selma Simon Stella Tessa Theo Ulla Vera Viktor Wanda
""".split()
MAJORS = """
    Physics Chemistry Biology Geology Astronomy Botany Zoology Medicine Nursing Pharmacy Law
    History Philosophy Linguistics Economics Sociology Psychology Anthropology Architecture
    Statistics Mathematics Music Theatre Sculpture Forestry Agronomy Metallurgy Acoustics
""".split()
INDUSTRIES = """
    shipping insurance banking textiles printing brewing forestry mining glassmaking robotics
    ceramics publishing railways fisheries optics clockmaking
""".split()
MONTHS = (
    "January February March April May June July August September October November December".split()
)

# Surnames have one syllable from each list; stems of places and organisations have one from the
# first list, with or without one from the second.
SYLLABLES_A = """
    Bal Bren Cal Cor Dar Del Dor Eld Fal Fen Gar Gil Hal Hel Ist Jor Kel Kor Lan Lor Mar Mel Nor
    Orl Pel Quin Ral Ros Sel Sor Tal Tor Ul Val Vel Wel Yar Zan
""".split()
SYLLABLES_B = "a e i o u an ar en er il in ol on or".split()
SYLLABLES_C = (
    "dane ford gast hart kel lund mar mont nard quist rath son stad thal vane ward wick wood"
).split()
CITY_ENDS = "port haven burg ton mere dale bridge gate minster cliff".split()
UNIVERSITY_KINDS = ("College", "Institute", "Academy", "University")
COMPANY_KINDS = ("Works", "Systems", "Brothers", "Group", "Partners", "Union")
REGION_ENDS = "land shire mark ia".split()
