"""The numbers beyond which a part is not read but held. All are settings (`[extract]`)."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, PositiveFloat, PositiveInt

MB = 1_000_000


class Limits(BaseModel):
    """Limits of one item; sizes in bytes, times in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    item_bytes: PositiveInt = 50 * MB
    """A larger item is read up to here and held."""
    file_bytes: PositiveInt = 35 * MB
    """A larger attachment is not read."""
    expanded_bytes: PositiveInt = 300 * MB
    """Bytes one item may unpack to, all archives and documents together."""
    ratio: PositiveInt = 200
    """Unpacked to packed bytes; beyond it unpacking stops."""
    ratio_from_bytes: PositiveInt = 1 * MB
    """Unpacked bytes before the ratio is looked at."""
    members: PositiveInt = 1_500
    """Members of all archives of one item."""
    nesting: PositiveInt = 8
    """How deep archives, documents and mails may lie in each other."""
    mime_parts: PositiveInt = 500
    """Parts of one mail."""
    mime_depth: PositiveInt = 30
    """How deep multiparts may lie in each other."""
    header_bytes: PositiveInt = 64_000
    """Bytes of one header that are decoded."""
    addresses: PositiveInt = 2_000
    """Addresses read from the headers of one mail."""
    pdf_pages: PositiveInt = 1_000
    """Pages read of one PDF."""
    image_pixels: PositiveInt = 60_000_000
    """Pixels of a picture that OCR takes."""
    ocr_pages: PositiveInt = 20
    """Pictures and scanned pages of one item given to OCR."""
    sheet_cells: PositiveInt = 5_000_000
    """Cells read of one workbook."""
    text_chars: PositiveInt = 20_000_000
    """Characters of text read of one item."""
    xml_depth: PositiveInt = 256
    """Depth of elements in Office and OpenDocument files."""
    html_depth: PositiveInt = 2_000
    """Depth of tags in HTML."""
    memory_bytes: PositiveInt = 1_610_612_736
    """Address space of a reading child."""
    cpu_seconds: PositiveFloat = 20
    """Processor time of a reading child for one file."""
    file_seconds: PositiveFloat = 30
    """Wall time for one file."""
    item_seconds: PositiveFloat = 120
    """Wall time for one item."""
    ocr_seconds: PositiveFloat = 60
    """Further wall time for OCR of one item."""
    part_records: PositiveInt = 5_000
    """Parts of one item in the result, whatever the members and MIME parts add up to."""
    logo_pixels: PositiveInt = 60_000
    """A picture inside a mail or document with one side of at most 100 px and no more pixels is no form."""
    logo_bytes: PositiveInt = 60_000
    """An inline picture of at most so many bytes may count as a logo when it is seen again and again."""
    logo_sightings: PositiveInt = 3
    """An inline picture of at most `logo_bytes` and 4 x `logo_pixels` counts as a logo from this item on."""
