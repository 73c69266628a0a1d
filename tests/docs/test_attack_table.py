from tests.attack_table import PAGE, with_table
from tests.docs.markdown_text import read


def test_the_table_of_attacks_is_what_the_tests_say():
    assert read(PAGE) == with_table(read(PAGE)), "run: make attacks"
