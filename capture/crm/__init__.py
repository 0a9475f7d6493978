"""CRM backends: one line each. A value is "module:function" that makes one of a home's settings and database."""

CRMS = {
    "dataverse": "capture.crm.dataverse:from_settings",
    "embedded": "capture.crm.embedded:from_settings",
}
