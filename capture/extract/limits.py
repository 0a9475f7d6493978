"""The numbers beyond which a part is not read but held. All are settings (`[extract]`)."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, PositiveFloat, PositiveInt

MB = 1_000_000


class Limits(BaseModel):
    """Limits of one item; sizes in bytes, times in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    item_bytes: PositiveInt = 50 * MB
    file_bytes: PositiveInt = 35 * MB
    expanded_bytes: PositiveInt = 300 * MB
    ratio: PositiveInt = 200
    ratio_from_bytes: PositiveInt = 1 * MB
    members: PositiveInt = 1_500
    nesting: PositiveInt = 8
    mime_parts: PositiveInt = 500
    mime_depth: PositiveInt = 30
    header_bytes: PositiveInt = 64_000
    addresses: PositiveInt = 2_000
    pdf_pages: PositiveInt = 1_000
    image_pixels: PositiveInt = 60_000_000
    ocr_pages: PositiveInt = 20
    sheet_cells: PositiveInt = 5_000_000
    text_chars: PositiveInt = 20_000_000
    xml_depth: PositiveInt = 256
    html_depth: PositiveInt = 2_000
    memory_bytes: PositiveInt = 1_610_612_736
    cpu_seconds: PositiveFloat = 20
    file_seconds: PositiveFloat = 30
    item_seconds: PositiveFloat = 120
    ocr_seconds: PositiveFloat = 60
    part_records: PositiveInt = 5_000
    """Parts of one item in the result, whatever the members and MIME parts add up to."""
    logo_pixels: PositiveInt = 60_000
    """A picture inside a mail or document with one side of at most 100 px and no more pixels is no form."""
    logo_bytes: PositiveInt = 60_000
    logo_sightings: PositiveInt = 3
    """An inline picture of at most `logo_bytes` and 4 x `logo_pixels` counts as a logo from this item on."""
