"""A dispatch of a version that does not know the type ``send`` yet: it puts every send aside."""

if __name__ == "__main__":
    from tabiji_common.commands import SEND_COMMANDS

    del SEND_COMMANDS["send"]
    from tabiji_dispatch.__main__ import main

    main()
