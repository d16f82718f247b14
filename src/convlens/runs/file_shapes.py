"""What the JSON files of a run hold, as far as some verb uses it."""

from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

Count: TypeAlias = Annotated[int, Field(ge=0, le=2**53)]
Number: TypeAlias = Annotated[float, Field(ge=-1e15, le=1e15)]
Positive: TypeAlias = Annotated[float, Field(ge=0, le=1e15)]
Share: TypeAlias = Annotated[float, Field(ge=0, le=1)]
Ends: TypeAlias = Annotated[list[Number], Field(min_length=2, max_length=2)]


class PartShape(BaseModel):
    """A JSON object of which some keys are known; it may have more."""

    model_config = ConfigDict(extra="allow", strict=True, allow_inf_nan=False)


class _File(PartShape):
    path: str
    reason: str


class _Data(PartShape):
    fingerprint: str
    name: str = ""
    images: dict[str, dict[str, Count]] = {}
    notes: list[str] = []
    skipped: list[_File] = []
    content: str | None = None


class EnvironmentShape(PartShape):
    """``environment.json``."""

    convlens: str
    data: _Data
    machine: dict[str, str | int | float | bool | None] = {}
    libraries: dict[str, str | None] = {}
    processes: Annotated[int, Field(ge=1)] = 1
    network_sha256: str | None = None
    resumed: list[dict[str, Any]] = []
    extended: list[dict[str, Any]] = []

    @model_validator(mode="after")
    def _splits_have_the_same_classes(self) -> Self:
        if len({frozenset(own) for own in self.data.images.values()}) > 1:
            raise ValueError("data.images does not list the same classes in every split")
        return self


class _OfClass(PartShape):
    name: str
    support: Count
    recall: Share | None
    recall_interval: Ends | None = None
    precision: Share | None
    precision_interval: Ends | None = None
    f1: Share | None
    f1_interval: Ends | None = None

    @model_validator(mode="after")
    def _recall_where_there_are_images(self) -> Self:
        if self.support and self.recall is None:
            raise ValueError(f"class '{self.name}' has images, but no recall")
        return self


class _Pair(PartShape):
    true: str
    predicted: str
    count: Count
    share: Share
    share_interval: Ends


class _Bin(PartShape):
    low: Share
    high: Share
    count: Count
    confidence: Share | None
    accuracy: Share | None
    interval: Ends | None

    @model_validator(mode="after")
    def _figures_where_there_are_images(self) -> Self:
        if self.count and None in (self.confidence, self.accuracy, self.interval):
            raise ValueError("a bin of the reliability has images, but no figures")
        return self


def _some_images(bins: list[_Bin]) -> list[_Bin]:
    if bins and not any(own.count for own in bins):
        raise ValueError("no bin of the reliability has images")
    return bins


class _Reliability(PartShape):
    n: Annotated[int, Field(ge=1)]
    reliability: Annotated[list[_Bin], AfterValidator(_some_images)]
    calibration_error: Share
    calibration_error_interval: Ends | None = None


class _Cells(PartShape):
    true: list[Count]
    predicted: list[Count]
    count: list[Count]
    left_out: Count

    @model_validator(mode="after")
    def _lists_are_parallel(self) -> Self:
        if not len(self.true) == len(self.predicted) == len(self.count):
            raise ValueError("true, predicted and count have different lengths")
        return self


class _Figures(PartShape):
    n: Annotated[int, Field(ge=1)]
    accuracy: Share
    interval: Ends
    classes: Annotated[list[_OfClass], Field(min_length=1)]
    confusion: list[list[Count]] | _Cells | None = None
    confused: list[_Pair] = []
    reliability: Annotated[list[_Bin], AfterValidator(_some_images)] = []
    calibration_error: Share = 0.0
    calibration_error_interval: Ends | None = None
    top5: Share | None = None
    top5_interval: Ends | None = None
    balanced_accuracy: Share | None = None
    balanced_accuracy_interval: Ends | None = None
    log_loss: Number | None = None
    log_loss_interval: Ends | None = None
    brier: Number | None = None
    brier_interval: Ends | None = None
    roc_auc: Share | None = None
    roc_auc_interval: Ends | None = None

    @model_validator(mode="after")
    def _confusion_fits_classes(self) -> Self:
        k, found = len(self.classes), self.confusion
        if isinstance(found, list):
            fits = not found or (len(found) == k and all(len(row) == k for row in found))
        else:
            fits = found is None or max([*found.true, *found.predicted], default=0) < k
        if not fits:
            raise ValueError(f"the confusion is not one of the {k} classes")
        return self


class _Calibration(PartShape):
    measured_on: Literal["test", "calibration", "val"]
    temperature: Annotated[float, Field(gt=0)] = 1.0
    images: Count = 0
    before: _Reliability
    after: _Reliability


class _OfAbstaining(PartShape):
    n: Count
    coverage: Share
    coverage_interval: Ends
    answered: Share
    answered_interval: Ends
    error_rate: Share | None = None
    error_rate_interval: Ends | None = None
    candidates: Positive | None = None


class _Abstaining(PartShape):
    promise: str | None = None
    reason: str | None = None
    rule: dict[str, Any] | None = None
    figures: _OfAbstaining | None = None


class MetricsShape(PartShape):
    """``metrics.json``."""

    model: str
    seconds: Positive
    images_per_second: Positive
    epochs: Count
    best_epoch: Count
    peak_memory_mb: Positive | None = None
    val: _Figures | None
    test: _Figures | None
    calibration: _Calibration | None = None
    selective: _Abstaining | None = None


class EpochShape(PartShape):
    """A line of ``history.jsonl``."""

    phase: str
    epoch: Annotated[int, Field(ge=1)]
    step: Count = 0
    seconds: Positive
    learning_rate: Number
    train_loss: Number
    train_accuracy: Share
    val_loss: Number | None
    val_accuracy: Share | None
    images_per_second: Positive = 0.0
    validation_seconds: Positive = 0.0


class EvidenceShape(PartShape):
    """The evidence of a finding that limits what the figures mean."""

    images: dict[str, Count] | None = None
    share: dict[str, Share] | None = None
    groups: Count | None = None
    count: Count | None = None


class _Finding(PartShape):
    code: str
    severity: str
    message: str
    remedy: str | None = None
    files: list[str] | None = None
    evidence: dict[str, Any] | None = None
    allowed: bool = False


class _Estimate(PartShape):
    training_seconds: Positive
    memory_mb: Positive
    at_most: bool


class PreflightShape(PartShape):
    """``preflight.json``."""

    findings: list[_Finding] = []
    estimate: _Estimate | None = None
