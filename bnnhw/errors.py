"""The errors a user can meet. Every one says what is wrong, where, and what to do.

The command line prints the message of a `BnnhwError` on stderr and exits with status 2; anything else
that escapes is a defect of bnnhw itself: status 3, and a file with the traceback.
"""


class BnnhwError(Exception):
    """Base of all errors that the user's input, files or machine cause."""


class ModelError(BnnhwError):
    """A model file cannot be read, or holds something that does not map to hardware.

    Several problems of one model are reported together: `problems` holds them all, in the order of the
    file, each as one line that names the node, the reason and the remedy.
    """

    def __init__(self, summary: str, problems: tuple[str, ...] = ()) -> None:
        self.summary = summary
        self.problems = tuple(problems)
        super().__init__("\n".join((summary, *(f"  {problem}" for problem in self.problems))))


class PlanError(BnnhwError):
    """A folding, a memory choice or a target cannot be met by the network or the part."""


class InputError(BnnhwError):
    """Input data (an .npz, an option, a folder) is missing, malformed or of the wrong shape."""


class ToolError(BnnhwError):
    """An external tool is missing, too old, or failed."""


class MissingCompilerError(ToolError):
    """There is no C++ compiler, or no make, for simulations. Bitstreams can be made without."""


class LinkError(BnnhwError):
    """The board does not answer, answers something else, or runs another design."""


class NotLoadedError(LinkError):
    """The board runs the right design, but has no weights for it."""
