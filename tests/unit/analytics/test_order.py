"""In which order analytics meets what was appended in the same millisecond."""

from tabiji_analytics.pipeline import INPUTS
from tabiji_common.kafka.merge import Merge
from tabiji_common.topics import CUSTOMERS, OUTCOMES, TRANSITIONS


def test_what_is_told_of_an_erased_customer_comes_before_the_word_that_it_is_done() -> None:
    rank = Merge(topic.name for topic in INPUTS).rank
    assert rank[CUSTOMERS.name] > max(rank[TRANSITIONS.name], rank[OUTCOMES.name])
