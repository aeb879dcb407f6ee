//! Events of the log `community`: providers, offers, call servers, acceptances.

use crate::currency::Currency;
use crate::ids::{AgentId, CallServerId, CustomerId, InquiryId, LinkId, OfferId, ProviderId};
use crate::log::{LogName, Seq};
use crate::money::Money;
use crate::patch::Patch;
use crate::sealed::Sealed;
use crate::terms::{ChannelKind, ContentReference, Initiator, OfferTerms};
use crate::time::Timestamp;
use crate::topic::Topic;
use crate::why::Why;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProviderEvent {
    Registered(ProviderRegistered),
    Updated(ProviderUpdated),
    CustomerBlocked(ProviderCustomerBlocked),
    CustomerUnblocked(ProviderCustomerUnblocked),
}

/// How far a provider may owe on one call server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreditLimit {
    pub call_server: LogName,
    pub limit: Money,
}

impl CreditLimit {
    /// Whether both are about the same call server and currency.
    pub fn is_of(&self, other: &CreditLimit) -> bool {
        self.call_server == other.call_server && self.limit.currency() == other.limit.currency()
    }
}

/// A public key with which a provider proves who its customers are. Its members are those of a JWK.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerKey {
    pub curve: Curve,
    /// By which a proof names it. One provider's are different.
    pub kid: String,
    /// RFC 7638, as the edge reckons it: which key it is, whatever it is named. Empty in records from before it was kept.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub thumbprint: String,
    /// 32 bytes in base64url, as is `y`.
    pub x: String,
    /// Of a point of P-256 alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub y: Option<String>,
}

impl CustomerKey {
    /// Which key it is. A name can be given to another key later on, a thumbprint cannot.
    pub fn identity(&self) -> &str {
        if self.thumbprint.is_empty() { &self.kid } else { &self.thumbprint }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Curve {
    Ed25519,
    #[serde(rename = "P-256")]
    P256,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderRegistered {
    pub credit_limits: Vec<CreditLimit>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub customer_keys: Vec<CustomerKey>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub homepage: Option<String>,
    pub name: String,
    /// `scheme://host[:port]`, where its offers may be met.
    pub origins: Vec<String>,
    pub provider: ProviderId,
}

/// A limit that stood and is no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiftedLimit {
    pub call_server: LogName,
    pub currency: Currency,
}

/// An absent member stays as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderUpdated {
    /// All of them: what the list does not name has no limit from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credit_limits: Option<Vec<CreditLimit>>,
    /// All of them: what is signed with another proves nothing from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_keys: Option<Vec<CustomerKey>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub homepage: Option<String>,
    /// It has no homepage from now on. Never beside `homepage`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub homepage_removed: bool,
    /// What `credit_limits` no longer names. Empty without `credit_limits`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits_lifted: Vec<LiftedLimit>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origins: Option<Vec<String>>,
    pub provider: ProviderId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended: Option<bool>,
}

impl ProviderUpdated {
    pub fn homepage(&self) -> Patch<&str> {
        Patch::recorded(self.homepage.as_deref(), self.homepage_removed)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OfferEvent {
    Published(Box<OfferPublished>),
    Revised(Box<OfferRevised>),
    Paused(OfferPaused),
    Resumed(OfferResumed),
    Retired(OfferRetired),
    PlaceFreed(OfferPlaceFreed),
    Accepted(Box<OfferAccepted>),
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
    /// The one before it plus one; the same where `terms` are what they were.
    pub revision: u32,
    pub terms: OfferTerms,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferRetired {
    pub offer: OfferId,
}

/// It is not accepted until it is resumed; what was accepted goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferPaused {
    pub offer: OfferId,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferResumed {
    pub offer: OfferId,
}

/// An inquiry of an offer with limits has ended on its call server: its place is free, and what of `reserved` was not
/// spent is the day's again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferPlaceFreed {
    /// Of its acceptance: days since 1970 (UTC).
    pub day: i64,
    pub inquiry: InquiryId,
    pub offer: OfferId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserved: Option<Money>,
    pub source: SourcePosition,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent: Option<Money>,
}

/// What a classifier made of a question, at the edge: nothing of the question itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Classified {
    pub chosen: Topic,
    /// The classifier's version.
    pub model: String,
    /// The rule and its version, such as `model/1`.
    pub rule: String,
    /// The candidates, the best first.
    pub scores: Vec<TopicScore>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicScore {
    /// In ten-thousandths.
    pub score: u32,
    pub topic: Topic,
}

/// A customer accepted: the terms are frozen, the call server is chosen. The call server's log takes it
/// from here as `inquiry.registered`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferAccepted {
    pub call_server: LogName,
    pub channel: ChannelKind,
    /// What the classifier made of the question, where nobody said what it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classified: Option<Classified>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<ContentReference>,
    pub customer: CustomerId,
    /// The customer was not known before this acceptance, as far as was found out.
    pub customer_is_new: bool,
    /// The customer database did not answer in time, so nobody knows whether the customer is new.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub information_unavailable: bool,
    pub initiator: Initiator,
    pub inquiry: InquiryId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Who served the customer last for this provider on that call server, where the offer prefers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_agent: Option<AgentId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<LinkId>,
    pub offer: OfferId,
    /// Name, e-mail, telephone, attributes: one JSON object, sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Sealed>,
    /// The key of the provider's (its identity) with which it proved who the customer is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proven_by: Option<String>,
    pub provider: ProviderId,
    /// What was asked, sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<Sealed>,
    pub revision: u32,
    /// The agent who turned to the customer. Absent: nobody did, or an operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_by: Option<AgentId>,
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
    TrafficReported(CallServerTrafficReported),
    TrafficExpired(CallServerTrafficExpired),
}

/// Where agents sit. At or above either limit they are passed over by selection and award.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// Of reported traffic, in `traffic_unit`. Absent: reports change nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Decimal>,
    pub name: String,
    /// Of open sessions and pending reservations. Absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_limit: Option<u32>,
    /// What limit and reports are counted in, for people.
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

/// In the call server's own log: a provider may owe up to `limit` here; absent: without limit again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreditLimitGranted {
    pub account: crate::ids::AccountId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Money>,
    pub provider: ProviderId,
    pub source: SourcePosition,
    /// Zero in the account's currency.
    pub zero: Money,
}

/// In the call server's own log: how much goes on at a location. In place of what was reported before; it counts before
/// `valid_until`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallServerTrafficReported {
    pub call_server: CallServerId,
    pub location: String,
    pub traffic: Decimal,
    pub valid_until: Timestamp,
}

/// The last report of a location is too old: nothing is known of its traffic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallServerTrafficExpired {
    pub call_server: CallServerId,
    pub location: String,
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

/// The provider takes no inquiry of this customer's from now on. What it has accepted already goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderCustomerBlocked {
    pub customer: CustomerId,
    /// One of the customer's inquiries about an offer of the provider's.
    pub known_by: InquiryId,
    pub provider: ProviderId,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderCustomerUnblocked {
    pub customer: CustomerId,
    pub provider: ProviderId,
}
