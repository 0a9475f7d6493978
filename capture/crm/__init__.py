"""CRM backends: one line each. A value is "module:class", loaded when it is used."""

CRMS = {
    "embedded": "capture.crm.embedded:EmbeddedCrm",
}
