"""What every error of exchangelib, of its HTTP client and of Exchange means to us, in one place.

`FAMILIES` is the table of docs/operators/exchange-on-premises.md. `translated` gives the error of ours that
takes its place; the message of the foreign one is dropped, because it may quote a reply of the server. A test
walks `exchangelib.errors` and fails when a class belongs to no family.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import requests
from exchangelib import errors as ews
from lxml import etree
from oauthlib.oauth2 import OAuth2Error
from oauthlib.oauth2.rfc6749.errors import TemporarilyUnavailableError, TokenExpiredError
from spnego.exceptions import SpnegoError

from capture.errors import (
    CaptureError,
    Changed,
    CursorLost,
    ItemGone,
    ItemUnreadable,
    Parked,
    ServerRefused,
    TryLater,
    Unreachable,
)
from capture.logs import where

log = logging.getLogger("mailweir.mailbox.ews")


class Forbidden(ews.EWSError):  # type: ignore[misc] # exchangelib ships no types
    """HTTP 403: signed in, but not allowed to speak EWS."""


class BadReply(ews.EWSError):  # type: ignore[misc] # as above
    """A reply that breaks off or is no EWS reply at all."""


FOREIGN: Final = (ews.EWSError, OAuth2Error, SpnegoError, OSError, LookupError, AttributeError, TypeError, ValueError,
                  etree.LxmlError)
"""What exchangelib and what it stands on may raise."""


@dataclass(frozen=True, slots=True)
class Family:
    """Errors that are treated alike. `names` are exchangelib's class names, or patterns that match whole names."""

    title: str
    becomes: type[CaptureError]
    seen: str
    todo: str
    names: str

    def holds(self, name: str) -> bool:
        """Whether a class of this name belongs to the family."""
        return any(re.fullmatch(pattern, name) for pattern in self.names.split())


FAMILIES: tuple[Family, ...] = (
    Family("busy", TryLater, "nothing; the item stays `CRM: pending`",
           "nothing; if it lasts, look at the throttling policy of the service account",
           """ErrorServerBusy RateLimitError ErrorExceededConnectionCount ErrorTooManyObjectsOpened
           ErrorExceededSubscriptionCount ErrorExceededFindCountLimit ErrorInsufficientResources ErrorNotEnoughMemory
           ErrorBatchProcessingStopped ErrorSubmissionQuotaExceeded ErrorResultSetTooBig SessionPoolM..SizeReached
           ErrorMailboxDataArrayTooBig"""),
    Family("away", TryLater, "nothing; the item stays `CRM: pending`",
           "nothing; if it lasts, look whether Exchange and the network in between are up",
           """ErrorTimeoutExpired ErrorInternalServerTransientError ErrorInternalServerError ErrorConnectionFailed
           ErrorConnectionFailedTransientError ErrorClientDisconnected ErrorRequestAborted ErrorADUnavailable
           ErrorADOperation ErrorADSessionFilter ErrorAddressSpaceNotFound ErrorMailboxFailover
           ErrorMailboxMoveInProgress ErrorMailboxStoreUnavailable ErrorDataSourceOperation ErrorProxy.*
           ErrorNoApplicableProxyCASServersAvailable ErrorNoDestinationCAS.* ErrorNoRespondingCASInDestinationSite
           ErrorServiceDiscoveryFailed ErrorCrossSiteRequest ErrorLocalServerObjectNotFound ErrorMailTipsDisabled
           ErrorPublicFolderRequestProcessingFailed ErrorPublicFolderServerNotFound ErrorNoPublicFolder.*
           ErrorReadEventsFailed ErrorMissedNotificationEvents ErrorNewEventStreamConnectionOpened
           ErrorExpiredSubscription ErrorSubscriptionNotFound ErrorSubscriptionUnsubsribed ErrorInvalidSubscription
           ErrorInvalidWatermark ErrorEventNotFound ErrorProxiedSubscriptionCallFailure ErrorSearchFolderNotInitialized
           ErrorWebRequestInInvalidState ErrorWin32InteropError ErrorMessageTracking.* CASError"""),
    Family("bad reply", TryLater, "nothing; the item stays `CRM: pending`",
           "if it lasts, look for a proxy or filter that changes or cuts replies",
           "SOAPError MalformedResponseError ErrorResponseSchemaValidation BadReply EWSWarning"),
    Family("sign-in", Parked, "the mailbox is not watched; `doctor` is red",
           "check account, password and authentication methods; `mailweir mailbox check` tries again",
           """UnauthorizedError ErrorPasswordExpired ErrorPasswordChangeRequired ErrorAccountDisabled
           ErrorCallerIsInvalidADAccount ErrorLogonAsNetworkServiceFailed ErrorInvalidClientSecurityContext
           ErrorInvalidCrossForestCredentials ErrorInvalidAuthorizationContext ErrorInvalidLogonType
           ErrorInvalidNetworkServiceContext ErrorInvalidProxySecurityContext ErrorInvalidSecurityDescriptor
           ErrorInvalidSerializedAccessToken ErrorTokenSerializationDenied ErrorGetServerSecurityDescriptorFailed"""),
    Family("rights", Parked, "the mailbox is not watched; `doctor` is red",
           "give the service account ApplicationImpersonation for this mailbox, or full access as a delegate",
           """Forbidden ErrorAccessDenied ErrorImpersonat.* ErrorInvalidExchangeImpersonationHeaderData
           ErrorUserNotAllowedByPolicy ErrorPermissionNotAllowedByPolicy ErrorSubscriptionAccessDenied
           ErrorSubscriptionDelegateAccessNotSupported ErrorCreate.*AccessDenied ErrorRecoverableItemsAccessDenied
           ErrorSendAsDenied ErrorNotDelegate ErrorDelegate.* ErrorAddDelegatesFailed ErrorRemoveDelegatesFailed
           ErrorUpdateDelegatesFailed ErrorMoreThanOneAccessModeSpecified ErrorAccessModeSpecified
           ErrorDistinguishedUserNotSupported ErrorNoFreeBusyAccess"""),
    Family("mailbox", Parked, "the mailbox is not watched; `doctor` is red",
           "mailbox gone, moved, without a licence, full, or not the primary address: correct or remove it",
           """ErrorNonExistentMailbox ErrorNonPrimarySmtpAddress ErrorMailboxConfiguration ErrorMailboxLogonFailed
           ErrorInvalidLicense ErrorQuotaExceeded ErrorIndividualMailboxLimitReached ErrorInvalidMailbox
           ErrorInvalidSmtpAddress ErrorMissingEmailAddress ErrorMissingInformationEmailAddress
           ErrorEmailAddressMismatch ErrorInvalidUser.* ErrorInvalidSid ErrorMailRecipientNotFound
           ErrorNameResolution.* ErrorWrongServerVersion ErrorWrongServerVersionDelegate RedirectError
           RelativeRedirect ErrorOrganizationNotFederated ErrorUserWithoutFederatedProxyAddress"""),
    Family("cursor", CursorLost, "nothing", "nothing: the folder is looked through in full",
           "ErrorInvalidSyncStateData"),
    Family("gone", ItemGone, "nothing, or the item ends *gone*", "nothing: the item is looked for elsewhere first",
           """ErrorItemNotFound ErrorFolderNotFound ErrorSyncFolderNotFound ErrorParentFolderNotFound
           ErrorToFolderNotFound ErrorSavedItemFolderNotFound ErrorManagedFolderNotFound ErrorObjectTypeChanged
           ErrorCalendarOccurrenceIsDeletedFromRecurrence ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange
           ErrorCalendarCannotUpdateDeletedItem ErrorRecurrenceHasNoOccurrence ErrorVirusMessageDeleted
           ErrorInvalidId ErrorInvalidIdEmpty ErrorInvalidIdMalformed.* ErrorInvalidIdXml
           ErrorInvalidIdStoreObjectIdTooLong ErrorInvalidIdMonikerTooLong ErrorCannotUse.*IdFor.*Id
           ErrorCalendarCannotUseIdFor.*Id DoesNotExist"""),
    Family("changed meanwhile", Changed, "nothing; the state shows a little later", "nothing: it is tried again",
           """ErrorIrresolvableConflict ErrorStaleObject ErrorInvalidChangeKey ErrorChangeKeyRequired
           ErrorChangeKeyRequiredForWriteOperations"""),
    Family("item not handed over", ItemUnreadable, "`CRM: held`, with the reason \"could not be read\"",
           "a reviewer looks at the item in Outlook; corrupt mailboxes are mended by `New-MailboxRepairRequest`",
           """ErrorCorruptData ErrorItemCorrupt ErrorFolderCorrupt ErrorMimeContentConversionFailed ErrorMimeContent.*
           ErrorContentConversionFailed ErrorUnsupportedMimeConversion ErrorMessageSizeExceeded
           ErrorDataSizeLimitExceeded ErrorAttachmentSizeLimitExceeded ErrorRequestStreamTooBig
           ErrorCannotOpenFileAttachment ErrorInvalidAttachmentId ErrorInvalidIdNotAnItemAttachmentId
           ErrorInvalidIdTooManyAttachmentLevels ErrorVirusDetected ErrorItemPropertyRequestFailed
           ErrorUnsupportedTypeForConversion ErrorItemSave.* ErrorPropertyUpdate ErrorPropertyValidationFailure
           ErrorVoiceMailNotImplemented"""),
    Family("not reachable", Unreachable, "nothing", "check `ews.endpoint`, the certificate and `ews.ca_file`",
           "AutoDiscover.* ErrorAutoDiscoverFailed"),
    Family("request refused", ServerRefused, "`CRM: held`, with the code `server-refused`",
           "report it with the log line: mailweir and this server do not understand each other",
           r"""EWSError TransportError ResponseMessageError MultipleObjectsReturned InvalidEnumValue InvalidTypeError
           NaiveDateTimeNotAllowed UnknownTimeZone
           ErrorCalendar.* ErrorCannot.* ErrorInvalid.* ErrorMissing.* ErrorUnsupported.* ErrorUnifiedMessaging.*
           ErrorSharing.* ErrorNotSupportedSharingMessage ErrorNotAllowedExternalSharingByPolicy ErrorFolder.*
           ErrorManagedFolder.* ErrorMove.* ErrorDelete.* ErrorDuplicate.* ErrorOccurrence.* ErrorRestriction.*
           ErrorResolveNames.* ErrorSendMeeting.* ErrorSent.* ErrorTime.* ErrorWorkingHours.* ErrorFreeBusy.*
           ErrorAffectedTaskOccurrencesRequired ErrorApplyConversationActionFailed ErrorAvailabilityConfigNotFound
           ErrorContainsFilterWrongType ErrorCreateManagedFolderPartialCompletion ErrorCrossMailboxMoveCopy
           ErrorDistributionListMemberNotExist ErrorIPGatewayNotFound ErrorInboxRulesValidationError
           ErrorIncorrect.* ErrorLegacyMailboxFreeBusyViewTypeNotMerged ErrorMailboxDataArrayEmpty
           ErrorMeetingSuggestionGenerationFailed ErrorMessageDispositionRequired ErrorNoCalendar
           ErrorNoFolderClassOverride ErrorNoPropertyTagForCustomProperties
           ErrorOperationNotAllowedWithPublicFolderRoot ErrorOutlookRuleBlobExists ErrorParentFolderIdRequired
           ErrorPhoneNumberNotDialable ErrorQueryFilterTooLong ErrorReadReceiptNotPending ErrorRecurrenceEndDateTooBig
           ErrorRequiredPropertyMissing ErrorRulesOverQuota ErrorSchemaValidation ErrorUnableToGetUserOofSettings
           ErrorUpdatePropertyMismatch ErrorUserNotUnifiedMessagingEnabled ErrorValueOutOfRange"""),
)
"""The first family that holds a name wins, so the last may be broad."""


def family_of(kind: type[BaseException]) -> Family | None:
    """The family of an exception class by its own name; None when nobody thought of it."""
    return next((family for family in FAMILIES if family.holds(kind.__name__)), None)


def translated(error: BaseException) -> CaptureError:
    """The error of ours that takes the place of a foreign one. Nothing of its message is kept.

    A `TryLater` carries the seconds the server asked to wait, 0 when it did not say.
    """
    if isinstance(error, CaptureError):
        return error
    if isinstance(error, requests.exceptions.SSLError) or isinstance(error.__context__, requests.exceptions.SSLError):
        return Unreachable("the certificate of the mail server is not trusted")
    if isinstance(error, (requests.exceptions.RequestException, TemporarilyUnavailableError, OSError)):
        return TryLater(f"away, {type(error).__name__}")
    if isinstance(error, TokenExpiredError):
        return TryLater("token expired")
    if isinstance(error, (OAuth2Error, SpnegoError)):
        return Parked(f"sign-in, {type(error).__name__}")
    if isinstance(error, (AttributeError, KeyError, TypeError, ValueError, IndexError, etree.LxmlError)):
        log.warning("a reply could not be taken apart: %s", where(error))
        return TryLater(f"bad reply, {type(error).__name__}")
    for kind in type(error).__mro__:
        family = family_of(kind)
        if family is not None:
            facts = f"{family.title}, {type(error).__name__}"
            if family.becomes is TryLater:
                return TryLater(facts, wait=_asked_to_wait(error))
            return family.becomes(facts)
    return ServerRefused(type(error).__name__)


def _asked_to_wait(error: BaseException) -> float:
    """`BackOffMilliseconds` or `Retry-After` in seconds; 0 when the server did not say."""
    asked = getattr(error, "back_off", None) or getattr(error, "wait", None) or 0
    return max(0.0, float(asked))


def table() -> str:
    """The families as a table for the operator's page."""
    rows = [f"| {f.title} | `{f.becomes.code}` | {f.seen} | {f.todo} | {_count(f)} |" for f in FAMILIES]
    return "\n".join(["| Errors | Code | What the user sees | What to do | Classes |", "|---|---|---|---|---|", *rows])


def _count(family: Family) -> int:
    return sum(family_of(kind) is family for kind in known_errors())


def known_errors() -> Sequence[type[BaseException]]:
    """Every exception class exchangelib defines, and the two of this module."""
    found = [kind for kind in vars(ews).values() if isinstance(kind, type) and issubclass(kind, BaseException)]
    return [*found, Forbidden, BadReply]
