"""Notice backends: one line each. A value is "module:class", loaded when it is used."""

NOTIFIERS = {
    "log": "capture.notify.log:LogNotifier",
    "smtp": "capture.notify.smtp:SmtpNotifier",
}
