"""Name annotation formats that are recognised and not supported."""

import re

from segmentation.data.annotations.annotation_files import head
from segmentation.data.annotations.folder import Folder

_JSON = (
    (r'"segments_info"', "COCO panoptic JSON",
     "its PNGs hold segment ids; convert it with panopticapi's panoptic2semantic_segmentation.py"),
    (r'"_via_(settings|img_metadata)"|"region_attributes"', "VGG Image Annotator (VIA) JSON",
     "export it as COCO in VIA"),
    (r'"dm_format_version"|"media_type"\s*:', "Datumaro JSON",
     "convert it: datum convert -if datumaro -f coco_instances"),
    (r'"data_row"', "Labelbox NDJSON", "export it with labelbox as COCO"),
    (r'"openlabel"', "OpenLABEL JSON", "export it as COCO"),
    (r'"predicted_iou"', "Segment Anything (SA-1B) JSON", "its masks have no classes"),
    (r'"FeatureCollection"', "GeoJSON", "burn its polygons into masks: gdal_rasterize"),
    (r'"poly2d"', "Scalabel (BDD100K) JSON", "convert it: python -m scalabel.label.to_coco"),
    (r'"imgHeight"', "Cityscapes' polygons",
     "make masks of them: csCreateTrainIdLabelImgs, of pip install cityscapesScripts"),
)  # fmt: skip
"""A pattern of the file's beginning, the format, and what to do."""


def name_unsupported(folder: Folder) -> str:
    """Return what the annotations in a folder are and what to do, or an empty string."""
    for path in folder.files(".json", ".ndjson", ".jsonl")[:200]:
        start = head(path)
        for pattern, name, advice in _JSON:
            if re.search(pattern, start):
                return f"{folder.where(path)} is {name}, which is not supported: {advice}."
    for path in folder.files(".xml")[:200]:
        start = head(path)
        if "<annotations" in start and "<track" in start:
            return (
                f"{folder.where(path)} is CVAT for video, which is not supported: export the task "
                "as 'CVAT for images 1.1'."
            )
        if "<annotation" in start and "<bndbox>" in start:
            return (
                f"{folder.where(path)} is a Pascal VOC file of boxes. Masks cannot be learnt from "
                "boxes: VOC's masks are PNGs in SegmentationClass/."
            )
    return ""
