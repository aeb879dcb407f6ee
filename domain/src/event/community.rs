//! Events of the log `community`: providers, offers, call servers, acceptances.

use crate::ids::{CallServerId, CustomerId, InquiryId, LinkId, OfferId, ProviderId};
use crate::log::{LogName, Seq};
use crate::money::Money;
use crate::sealed::Sealed;
use crate::terms::{ChannelKind, ContentReference, Initiator, OfferTerms};
use crate::topic::Topic;
use crate::why::Why;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProviderEvent {
    Registered(ProviderRegistered),
    Updated(ProviderUpdated),
}

/// How far a provider may owe on one call server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreditLimit {
    pub call_server: LogName,
    pub limit: Money,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderRegistered {
    pub credit_limits: Vec<CreditLimit>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub homepage: Option<String>,
    pub name: String,
    /// `scheme://host[:port]`, where its offers may be met.
    pub origins: Vec<String>,
    pub provider: ProviderId,
}

/// An absent member stays as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderUpdated {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credit_limits: Option<Vec<CreditLimit>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub homepage: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origins: Option<Vec<String>>,
    pub provider: ProviderId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended: Option<bool>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OfferEvent {
    Published(OfferPublished),
    Revised(OfferRevised),
    Retired(OfferRetired),
    Accepted(OfferAccepted),
}

/// Revision 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferPublished {
    pub offer: OfferId,
    pub provider: ProviderId,
    pub terms: OfferTerms,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferRevised {
    pub offer: OfferId,
    pub revision: u32,
    pub terms: OfferTerms,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferRetired {
    pub offer: OfferId,
}

/// A customer accepted: the terms are frozen, the call server is chosen. The call server's log takes it
/// from here as `inquiry.registered`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferAccepted {
    pub call_server: LogName,
    pub channel: ChannelKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<ContentReference>,
    pub customer: CustomerId,
    /// The customer was not known before this acceptance.
    pub customer_is_new: bool,
    pub initiator: Initiator,
    pub inquiry: InquiryId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<LinkId>,
    pub offer: OfferId,
    /// Name, e-mail, telephone, attributes: one JSON object, sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Sealed>,
    pub provider: ProviderId,
    /// The question, with title and excerpt of its content: one JSON object, sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<Sealed>,
    pub revision: u32,
    pub terms: OfferTerms,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms_version: Option<String>,
    pub topics: Vec<Topic>,
    /// Why this call server.
    pub why: Why,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallServerEvent {
    Opened(CallServerOpened),
    Updated(CallServerUpdated),
    Started(CallServerStarted),
    CreditLimitGranted(CreditLimitGranted),
}

/// Where agents sit. At `session_limit` open sessions and pending reservations, or at `limit` of reported
/// traffic, the location's agents are passed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// A decimal string in `traffic_unit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_limit: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic_unit: Option<String>,
}

/// In `community`: a call server exists. The first one is the default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallServerOpened {
    pub call_server: CallServerId,
    pub languages: Vec<String>,
    pub locations: Vec<Location>,
    pub name: LogName,
    pub topics: Vec<Topic>,
}

/// An absent member stays as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallServerUpdated {
    pub call_server: CallServerId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub languages: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locations: Option<Vec<Location>>,
    pub name: LogName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topics: Option<Vec<Topic>>,
}

/// In the call server's own log: how `community` describes it, at its opening and after each update.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallServerStarted {
    pub call_server: CallServerId,
    pub locations: Vec<Location>,
    pub name: LogName,
    pub source: SourcePosition,
}

/// In the call server's own log: a provider may owe up to `limit` here; absent: without limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreditLimitGranted {
    pub account: crate::ids::AccountId,
    pub limit: Money,
    pub provider: ProviderId,
    pub source: SourcePosition,
}

/// The event of another log that a process manager brought here. The state keeps the last one of each
/// log, so a repeat changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourcePosition {
    /// Hexadecimal chain hash of the source event.
    pub hash: String,
    pub log: LogName,
    pub seq: Seq,
}
