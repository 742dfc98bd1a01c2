"""Findings that the tests of all formats share: with everything there can be, and with nothing there must be."""

from shapelint.diagnostics import Applicability, Diagnostic, Edit, Fix, Location, Severity
from shapelint.results import Assumption, LintResult, ModelResult

ADD_PADDING = Fix(
    "output_padding=1: then even sizes come back",
    Applicability.UNSAFE,
    verified=True,
    edits=(Edit(Location("my nets/unet.py", 8, 69, 8, 69), ", output_padding=1"),),
)
BY_HAND = Fix("output_size=skip.shape[-2:] in forward", Applicability.MANUAL, verified=True)
ERROR = Diagnostic(
    code="SL101",
    name="lossy-round-trip",
    severity=Severity.ERROR,
    message="`up` does not restore the size that `down` had",
    location=Location("my nets/unet.py", 8, 20, 8, 70),
    use=Location("my nets/unet.py", 15, 13, 15, 23),
    model="UNet",
    layer="up",
    axis="W",
    sizes="every even W",
    example="For 64 × 64: 31 | 32",
    why="2*(32 - 1) = 62",
    fixes=(ADD_PADDING, BY_HAND),
)
WARNING = Diagnostic(
    "SL501",
    "not-same",
    Severity.WARNING,
    "`a` is off by 100 %, at\nmost",
    location=Location("my nets/unet.py", 20, 5, 22, 3),
    model="UNet",
    layer="a",
)
NOTE = Diagnostic("SL905", "not-proven", Severity.NOTE, "probed", certainty="probed")
BAD_PATH = Diagnostic("SL906", "bad-input", Severity.ERROR, "no such file or directory: <gone>.py")
UNET = ModelResult("UNet", Location("my nets/unet.py", 4, 1, 4, 11), "UNet(3)", (Assumption("n_classes", "2"),), "any")
CLEAN = ModelResult("LeNet", Location("lenet.py", 4, 1, 4, 12), "LeNet()", summary="H and W: 32")
FOUND = LintResult((ERROR, WARNING, NOTE), (UNET, CLEAN), files=2)
FAILED = LintResult((BAD_PATH, ERROR), (UNET,), files=1)
