"""The cycle collector of a long-lived process that makes thousands of objects a turn and drops nearly all of them."""

import gc

YOUNG, MIDDLE, OLD = 50_000, 20, 100


def settle() -> None:
    """Everything that is there now stays for good; look seldom through what comes: a turn is over before it is looked
    through, and what is in no cycle is freed without being looked for.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
