"""`[dataverse]`: the CRM in Dynamics 365; see docs/operators/dataverse.md."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveFloat, PositiveInt


class DataverseSettings(BaseModel):
    """`[dataverse]`: Dynamics 365. Secrets come from MAILWEIR_DATAVERSE_CERTIFICATE or MAILWEIR_DATAVERSE_SECRET."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: str = Field(default="", description="Address of the organisation, e.g. https://NAME.crm3.dynamics.com; https.")
    tenant: str = Field(default="", description="Directory (tenant) id or domain of the organisation in Entra.")
    client_id: str = Field(default="", description="Application (client) id of the app registration.")
    login_url: str = Field(default="", description="Sign-in address, when it is not https://login.microsoftonline.com.")
    regions: tuple[str, ...] = Field(
        default=(), description="Regions the organisation may be in (CA, UK, EU, ...), told by its host name. Empty = "
                                "those of the policy pack: CA for bc_foippa, UK for uk_gdpr.")
    hosts: tuple[str, ...] = Field(
        default=("login.microsoftonline.com",),
        description="Further hosts mailweir may speak to: where it signs in, and an organisation with a host of its "
                    "own.")
    ca_file: str = Field(default="", description="PEM file of certificate authorities, instead of the usual ones.")
    prefix: str = Field(default="mw", pattern=r"[a-z][a-z0-9]{1,7}",
                        description="Publisher's prefix of the columns and the table made for mailweir.")
    act_for_tracker: bool = Field(
        default=True, description="Look for records with the rights of the person who tagged. Off = with mailweir's "
                                  "own, limited to the division of the mailbox.")
    owner: Literal["tracker", "service"] = Field(
        default="tracker", description="Who owns a new activity: the person who tagged, if Dataverse knows them, or "
                                       "mailweir's user.")
    leads: bool = Field(default=True, description="Match leads as well as contacts.")
    oversize: Literal["placeholder", "hold"] = Field(
        default="placeholder",
        description="A file larger than Dataverse takes, or of a kind it blocks: `placeholder` = left out, with a line "
                    "that says so; `hold` = the item waits for a reviewer.")
    max_file_bytes: NonNegativeInt = Field(
        default=0, description="Largest file sent; 0 = what the organisation allows (5 MB unless changed there).")
    request_bytes: PositiveInt = Field(
        default=100_000_000, description="Most bytes of files (in base64) of one item; the largest stay out beyond it.")
    page_size: PositiveInt = Field(default=500, le=5000, description="Rows asked for in one page.")
    parallel: PositiveInt = Field(
        default=8, le=52, description="Requests under way at a time, of one process; Dataverse allows a user 52.")
    timeout_seconds: PositiveFloat = Field(default=120, description="Give up on one request after this long.")
