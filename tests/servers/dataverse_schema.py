"""What the Dataverse stand-in knows of its tables: columns, their limits, what is read-only, keys, relations.

From the table reference of the Power Apps documentation. Only what is here exists: any other column is refused, as the
real one refuses it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

MEMO = 1_073_741_823


@dataclass(frozen=True)
class Spec:
    """A table. `texts`: most characters of its text columns; `others`: further columns that can be written; `fixed`:
    columns that can only be read; `needs`: columns or party roles without which a row is refused; `binds`: navigation
    property -> (column, path); `many`: collection -> (path, column that points here)."""

    name: str
    path: str
    key: str
    texts: dict[str, int]
    others: frozenset[str] = frozenset()
    fixed: frozenset[str] = frozenset()
    needs: tuple[str, ...] = ()
    binds: dict[str, tuple[str, str]] = field(default_factory=dict)
    many: dict[str, tuple[str, str]] = field(default_factory=dict)
    states: dict[int, tuple[int, ...]] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    owned: bool = True


RECORDS = (("account", "accounts"), ("contact", "contacts"), ("lead", "leads"), ("opportunity", "opportunities"))
PEOPLE = (("account", "accounts"), ("contact", "contacts"), ("lead", "leads"), ("systemuser", "systemusers"))
OURS = {"mw_key": 64, "mw_item": 100, "mw_filled": 80, "mw_stub": 40}
BASE_FIXED = frozenset({"createdon", "modifiedon", "createdby", "activitytypecode", "owningbusinessunit",
                        "versionnumber"})


def _about(name: str) -> dict[str, tuple[str, str]]:
    return {f"regardingobjectid_{target}_{name}": ("regardingobjectid", path) for target, path in RECORDS} | {
        "ownerid": ("ownerid", "systemusers")}


ACTIVITY = frozenset({"activityid", "statecode", "statuscode", "scheduledstart", "scheduledend", "actualstart",
                      "actualend", "actualdurationminutes"})
MIME, NOTES = "activitymimeattachments", "annotations"

SPECS = {spec.path: spec for spec in (
    Spec("email", "emails", "activityid",
         {"subject": 800, "description": MEMO, "messageid": 320, "submittedby": 250} | OURS,
         ACTIVITY | {"directioncode"},
         BASE_FIXED | {"inreplyto", "conversationindex", "correlationmethod", "senton", "attachmentcount",
                       "notifications", "torecipients"},
         binds=_about("email"), many={"email_activity_parties": ("activityparties", "activityid"),
                                      "email_activity_mime_attachment": (MIME, "objectid"),
                                      "Email_Annotation": (NOTES, "objectid")},
         states={0: (1, 6, 7, 8), 1: (2, 3, 4), 2: (5,)}, keys=("mw_key",)),
    Spec("appointment", "appointments", "activityid",
         {"subject": 200, "description": 1_048_576, "location": 200, "globalobjectid": 300} | OURS,
         ACTIVITY | {"isalldayevent"}, BASE_FIXED | {"ismapiprivate", "attachmenterrors", "attachmentcount"},
         needs=("scheduledstart", "scheduledend"), binds=_about("appointment"),
         many={"appointment_activity_parties": ("activityparties", "activityid"),
               "appointment_activity_mime_attachment": (MIME, "objectid"),
               "Appointment_Annotation": (NOTES, "objectid")},
         states={0: (1, 2), 1: (3,), 2: (4,), 3: (5, 6)}, keys=("mw_key",)),
    Spec("phonecall", "phonecalls", "activityid", {"subject": 200, "description": 2000, "phonenumber": 200} | OURS,
         ACTIVITY | {"directioncode", "leftvoicemail"}, BASE_FIXED, needs=("from", "to"), binds=_about("phonecall"),
         many={"phonecall_activity_parties": ("activityparties", "activityid"),
               "PhoneCall_Annotation": (NOTES, "objectid")},
         states={0: (1,), 1: (2, 4), 2: (3,)}, keys=("mw_key",)),
    Spec("task", "tasks", "activityid", {"subject": 200, "description": 2000} | OURS, ACTIVITY | {"percentcomplete"},
         BASE_FIXED, binds=_about("task"), many={"Task_Annotation": (NOTES, "objectid")},
         states={0: (2, 3, 4, 7), 1: (5,), 2: (6,)}, keys=("mw_key",)),
    Spec("activityparty", "activityparties", "activitypartyid", {"addressused": 320, "unresolvedpartyname": 200},
         frozenset({"activitypartyid", "participationtypemask"}),
         binds={f"partyid_{name}": ("partyid", path) for name, path in PEOPLE} | {
             "partyid_opportunity": ("partyid", "opportunities")}, owned=False),
    Spec("activitymimeattachment", MIME, "activitymimeattachmentid",
         {"filename": 255, "mimetype": 256, "subject": 2000, "body": MEMO},
         frozenset({"activitymimeattachmentid", "attachmentnumber", "objecttypecode"}), frozenset({"filesize"}),
         binds={"objectid_email": ("objectid", "emails"), "objectid_appointment": ("objectid", "appointments")},
         owned=False),
    Spec("annotation", NOTES, "annotationid",
         {"filename": 255, "mimetype": 256, "subject": 500, "notetext": 100_000, "documentbody": MEMO},
         frozenset({"annotationid", "objecttypecode", "isdocument"}), frozenset({"filesize"}),
         binds={f"objectid_{name}": ("objectid", f"{name}s") for name in ("task", "phonecall", "email", "appointment",
                                                                          "contact", "account")}),
    Spec("contact", "contacts", "contactid",
         {"fullname": 160, "jobtitle": 100, "emailaddress1": 100, "emailaddress2": 100, "emailaddress3": 100},
         frozenset({"contactid", "statecode", "donotemail"})),
    Spec("account", "accounts", "accountid",
         {"name": 160, "emailaddress1": 100, "emailaddress2": 100, "emailaddress3": 100, "websiteurl": 200,
          "address1_city": 80}, frozenset({"accountid", "statecode"})),
    Spec("lead", "leads", "leadid",
         {"fullname": 160, "companyname": 100, "emailaddress1": 100, "emailaddress2": 100, "emailaddress3": 100},
         frozenset({"leadid", "statecode"})),
    Spec("opportunity", "opportunities", "opportunityid", {"name": 300},
         frozenset({"opportunityid", "statecode", "estimatedclosedate"})),
    Spec("systemuser", "systemusers", "systemuserid",
         {"fullname": 200, "internalemailaddress": 100, "domainname": 1024, "azureactivedirectoryobjectid": 36},
         frozenset({"systemuserid", "isdisabled"})),
    Spec("businessunit", "businessunits", "businessunitid", {"name": 160}, frozenset({"businessunitid"}), owned=False),
    Spec("organization", "organizations", "organizationid", {"name": 160, "blockedattachments": 1_000_000},
         frozenset({"organizationid", "maxuploadfilesize", "isauditenabled"}), owned=False),
    Spec("mw_tracker", "mw_trackers", "mw_trackerid",
         {"mw_key": 64, "mw_item": 100, "mw_name": 320, "mw_matched": 100, "mw_reason": 100, "mw_links": 4000,
          "mw_asked": 4000},
         frozenset({"mw_trackerid"}), frozenset({"createdon"}), keys=("mw_key",)),
)}
OF_NAME = {spec.name: spec for spec in SPECS.values()}
ACTIVITIES = ("emails", "appointments", "phonecalls", "tasks")
