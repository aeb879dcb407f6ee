//! Why a command changes nothing: stable codes, a sentence that says what would work, the field it is
//! about, and whether trying again unchanged can change the answer. Refusals are answers, not failures.

use crate::currency::Currency;
use crate::money::Money;
use crate::time::Timestamp;

/// A path from `input`, such as `["amount", "currency"]`.
pub type Field = Vec<String>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The role may not give this command at all. Becomes a top-level FORBIDDEN.
    Forbidden,
    Invalid {
        field: Field,
        message: String,
    },
    NotFound {
        field: &'static str,
    },
    NameTaken,
    NotAllowedNow {
        message: &'static str,
    },
    LimitReached {
        message: &'static str,
    },
    KeyReused {
        first_seen_at: Timestamp,
    },
    OfferRetired,
    /// By its provider; until it is resumed.
    OfferPaused,
    OfferExpired,
    StaleRevision {
        current: u32,
    },
    ChannelNotOffered,
    TermsNotAccepted,
    CustomerProofRefused {
        message: &'static str,
    },
    OriginRefused,
    /// Of a webhook: nothing may be sent there.
    UrlRefused {
        message: &'static str,
    },
    AuctionClosed,
    BidTooLow {
        minimum: Money,
    },
    BidTooHigh {
        maximum: Money,
    },
    BidCurrency {
        currency: Currency,
    },
    BidNotWithdrawable,
    InsufficientFunds {
        available: Money,
    },
    /// Of a payout.
    NotPayable {
        payable: Money,
    },
    /// Of a buy-now price. How much the provider has is not the bidder's business.
    ProviderOutOfFunds,
    /// Of a fixed price, which the provider pays.
    ProviderCannotPay,
    AgentNotAvailable,
    /// Of a bid: too many auctions won without consent.
    AgentBarred {
        until: Timestamp,
    },
    AgentLacksSkill,
    AgentAtCapacity,
    AgentNotIndependent,
    /// The provider pays for it, and the agent made the work itself.
    AgentStartedIt,
    /// There is nobody any more whom it could be recorded for.
    CustomerErased,
    /// Its provider keeps the agent from it.
    AgentBlocked,
    /// The agent keeps away from its customer. Both are told in the same words.
    AgentKeepsAway,
    /// Of a bid that would win at once: nobody is awarded anything where the agent sits.
    LocationAvoided,
    /// Another agent has it.
    InquiryTaken,
    InquiryClosed,
    /// Agents come to it in another way.
    OtherAllocation,
    /// Who left did not come back in time.
    PlaceLost,
    ReservationLapsed,
    ReservationRescinded,
    ReservationClosed,
    SessionClosed,
    ChannelClosed,
    /// The other agent is not in the session.
    NotAParticipant,
    /// To a process manager: what it brings stands where another event was taken over.
    SourceForked,
}

/// The list of fields as a path.
pub fn field(path: &[&str]) -> Field {
    path.iter().map(|part| (*part).to_owned()).collect()
}

impl Refusal {
    pub fn invalid(path: &[&str], message: impl Into<String>) -> Refusal {
        Refusal::Invalid { field: field(path), message: message.into() }
    }

    /// About one entry of a list, or a member of it: `["links", "0", "label"]`.
    pub fn invalid_at(list: &[&str], at: usize, member: &[&str], message: impl Into<String>) -> Refusal {
        let at = at.to_string();
        Refusal::invalid(&[list, &[at.as_str()], member].concat(), message)
    }

    /// Of an update that names no member: there would be no event for its key to stand on.
    pub fn nothing_to_change() -> Refusal {
        Refusal::invalid(&[], "There is nothing to change: name what is to be another.")
    }

    /// The code of `UserErrorCode`; fixed for ever.
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::Forbidden => "FORBIDDEN",
            Refusal::Invalid { .. } => "INVALID",
            Refusal::NotFound { .. } => "NOT_FOUND",
            Refusal::NameTaken => "NAME_TAKEN",
            Refusal::NotAllowedNow { .. }
            | Refusal::AgentBlocked
            | Refusal::AgentKeepsAway
            | Refusal::CustomerErased => "NOT_ALLOWED_NOW",
            Refusal::LimitReached { .. } => "LIMIT_REACHED",
            Refusal::KeyReused { .. } => "IDEMPOTENCY_KEY_REUSED",
            Refusal::OfferRetired => "OFFER_RETIRED",
            Refusal::OfferPaused => "OFFER_PAUSED",
            Refusal::OfferExpired => "OFFER_EXPIRED",
            Refusal::StaleRevision { .. } => "STALE_REVISION",
            Refusal::ChannelNotOffered => "CHANNEL_NOT_OFFERED",
            Refusal::TermsNotAccepted => "TERMS_NOT_ACCEPTED",
            Refusal::CustomerProofRefused { .. } => "CUSTOMER_PROOF_REFUSED",
            Refusal::OriginRefused => "ORIGIN_REFUSED",
            Refusal::UrlRefused { .. } => "URL_REFUSED",
            Refusal::AuctionClosed => "AUCTION_CLOSED",
            Refusal::BidTooLow { .. } => "BID_TOO_LOW",
            Refusal::BidTooHigh { .. } => "BID_TOO_HIGH",
            Refusal::BidCurrency { .. } => "BID_CURRENCY",
            Refusal::BidNotWithdrawable => "BID_NOT_WITHDRAWABLE",
            Refusal::InsufficientFunds { .. }
            | Refusal::NotPayable { .. }
            | Refusal::ProviderOutOfFunds
            | Refusal::ProviderCannotPay => "INSUFFICIENT_FUNDS",
            Refusal::AgentNotAvailable => "AGENT_NOT_AVAILABLE",
            Refusal::AgentBarred { .. } => "AGENT_BARRED",
            Refusal::AgentLacksSkill => "AGENT_LACKS_SKILL",
            Refusal::AgentAtCapacity => "AGENT_AT_CAPACITY",
            Refusal::AgentNotIndependent | Refusal::AgentStartedIt => "AGENT_NOT_INDEPENDENT",
            Refusal::LocationAvoided => "LOCATION_AVOIDED",
            Refusal::InquiryTaken => "INQUIRY_TAKEN",
            Refusal::InquiryClosed => "INQUIRY_CLOSED",
            Refusal::OtherAllocation => "OTHER_ALLOCATION",
            Refusal::PlaceLost => "PLACE_LOST",
            Refusal::ReservationLapsed => "RESERVATION_LAPSED",
            Refusal::ReservationRescinded => "RESERVATION_RESCINDED",
            Refusal::ReservationClosed => "RESERVATION_CLOSED",
            Refusal::SessionClosed => "SESSION_CLOSED",
            Refusal::ChannelClosed => "CHANNEL_CLOSED",
            Refusal::NotAParticipant => "NOT_A_PARTICIPANT",
            Refusal::SourceForked => "SOURCE_FORKED",
        }
    }

    /// A sentence for the person who gave the command: what would have worked.
    pub fn message(&self) -> String {
        match self {
            Refusal::Forbidden => "Your role may not do this.".into(),
            Refusal::Invalid { message, .. } => message.clone(),
            Refusal::NotFound { .. } => "There is no such thing, or you may not see it.".into(),
            Refusal::NameTaken => "The name is taken.".into(),
            Refusal::NotAllowedNow { message }
            | Refusal::LimitReached { message }
            | Refusal::CustomerProofRefused { message }
            | Refusal::UrlRefused { message } => (*message).into(),
            Refusal::KeyReused { .. } => "This idempotency key was used with another input; take a new key.".into(),
            Refusal::OfferRetired => "The offer has been retired.".into(),
            Refusal::OfferPaused => "The offer is paused; try again later.".into(),
            Refusal::OfferExpired => "The offer is no longer valid.".into(),
            Refusal::StaleRevision { current } => format!("The offer is at revision {current} now; read it again."),
            Refusal::ChannelNotOffered => "The offer does not include this channel.".into(),
            Refusal::TermsNotAccepted => "Accept the current version of the offer's terms.".into(),
            Refusal::OriginRefused => {
                "The content's address lies on no origin of the provider or the community.".into()
            }
            Refusal::AuctionClosed => "The auction is closed.".into(),
            Refusal::BidTooLow { minimum } => format!("Bid at least {minimum}."),
            Refusal::BidTooHigh { maximum } => format!("Bid at most {maximum}."),
            Refusal::BidCurrency { currency } => format!("The auction is in {currency}."),
            Refusal::BidNotWithdrawable => "Only a sealed bid can be withdrawn, and only until closing.".into(),
            Refusal::InsufficientFunds { available } => format!("Your wallet has {available} free."),
            Refusal::NotPayable { payable } => {
                format!("{payable} can be paid out now: what is payable, less what the owner owes.")
            }
            Refusal::ProviderOutOfFunds => "The provider cannot pay the buy-now price now; bid above it.".into(),
            Refusal::ProviderCannotPay => "The provider cannot pay the price now.".into(),
            Refusal::AgentNotAvailable => "The agent is not AVAILABLE.".into(),
            Refusal::AgentBarred { until } => {
                let until = jiff::Timestamp::from_microsecond(until.0).unwrap_or(jiff::Timestamp::MAX);
                format!("You have won and not consented too often; bid again after {until}.")
            }
            Refusal::AgentLacksSkill => "The agent lacks a skill that is asked for.".into(),
            Refusal::AgentAtCapacity => "The agent has as many inquiries as it can take.".into(),
            Refusal::AgentNotIndependent => "The offer takes only agents that are independent of its provider.".into(),
            Refusal::AgentStartedIt => "You started this inquiry; another agent is paid for it.".into(),
            Refusal::CustomerErased => "This customer's data was erased; nothing more is recorded of it.".into(),
            Refusal::AgentBlocked | Refusal::AgentKeepsAway => "This inquiry goes to other agents.".into(),
            Refusal::LocationAvoided => "Too much goes on where the agent sits; bid short of the buy-now price.".into(),
            Refusal::InquiryTaken => "Another agent has the inquiry.".into(),
            Refusal::InquiryClosed => "The inquiry is closed.".into(),
            Refusal::OtherAllocation => "Agents do not select this inquiry themselves.".into(),
            Refusal::PlaceLost => "No place is kept for it any more; accept the offer again.".into(),
            Refusal::ReservationLapsed => "The reservation has lapsed.".into(),
            Refusal::ReservationRescinded => "The reservation was rescinded.".into(),
            Refusal::ReservationClosed => "The reservation has been answered already.".into(),
            Refusal::SessionClosed => "The session has ended.".into(),
            Refusal::ChannelClosed => "The channel is closed.".into(),
            Refusal::NotAParticipant => "That agent is not in the session.".into(),
            Refusal::SourceForked => "Another event of that log was taken over from this position.".into(),
        }
    }

    /// The path from `input`; absent where the refusal is about the state and no field.
    pub fn field(&self) -> Option<Field> {
        match self {
            // Without a path it is about the input as a whole.
            Refusal::Invalid { field, .. } => (!field.is_empty()).then(|| field.clone()),
            Refusal::NotFound { field: name } => Some(field(&[name])),
            Refusal::NameTaken => Some(field(&["name"])),
            Refusal::NotAParticipant => Some(field(&["agentId"])),
            Refusal::KeyReused { .. } => Some(field(&["idempotencyKey"])),
            Refusal::StaleRevision { .. } => Some(field(&["expectedRevision"])),
            Refusal::ChannelNotOffered => Some(field(&["channel"])),
            Refusal::TermsNotAccepted => Some(field(&["termsVersion"])),
            Refusal::CustomerProofRefused { .. } => Some(field(&["customerProof"])),
            Refusal::OriginRefused => Some(field(&["content", "url"])),
            Refusal::UrlRefused { .. } => Some(field(&["url"])),
            Refusal::BidTooLow { .. }
            | Refusal::BidTooHigh { .. }
            | Refusal::InsufficientFunds { .. }
            | Refusal::NotPayable { .. }
            | Refusal::ProviderOutOfFunds => Some(field(&["amount"])),
            Refusal::BidCurrency { .. } => Some(field(&["amount", "currency"])),
            Refusal::Forbidden
            | Refusal::NotAllowedNow { .. }
            | Refusal::LimitReached { .. }
            | Refusal::OfferRetired
            | Refusal::OfferPaused
            | Refusal::OfferExpired
            | Refusal::AuctionClosed
            | Refusal::BidNotWithdrawable
            | Refusal::AgentNotAvailable
            | Refusal::AgentBarred { .. }
            | Refusal::AgentLacksSkill
            | Refusal::AgentAtCapacity
            | Refusal::ProviderCannotPay
            | Refusal::AgentNotIndependent
            | Refusal::AgentStartedIt
            | Refusal::AgentBlocked
            | Refusal::AgentKeepsAway
            | Refusal::CustomerErased
            | Refusal::LocationAvoided
            | Refusal::InquiryTaken
            | Refusal::InquiryClosed
            | Refusal::OtherAllocation
            | Refusal::PlaceLost
            | Refusal::ReservationLapsed
            | Refusal::ReservationRescinded
            | Refusal::ReservationClosed
            | Refusal::SessionClosed
            | Refusal::ChannelClosed
            | Refusal::SourceForked => None,
        }
    }

    /// Whether the same command can succeed later without the caller changing its input.
    pub fn retryable(&self) -> bool {
        match self {
            Refusal::NotAllowedNow { .. }
            | Refusal::OfferPaused
            | Refusal::LimitReached { .. }
            | Refusal::InsufficientFunds { .. }
            | Refusal::NotPayable { .. }
            | Refusal::ProviderOutOfFunds
            | Refusal::ProviderCannotPay
            | Refusal::AgentNotAvailable
            | Refusal::AgentBarred { .. }
            | Refusal::AgentAtCapacity
            | Refusal::AgentBlocked
            | Refusal::AgentKeepsAway
            | Refusal::LocationAvoided => true,
            Refusal::Forbidden
            | Refusal::CustomerErased
            | Refusal::Invalid { .. }
            | Refusal::NotFound { .. }
            | Refusal::NameTaken
            | Refusal::KeyReused { .. }
            | Refusal::OfferRetired
            | Refusal::OfferExpired
            | Refusal::StaleRevision { .. }
            | Refusal::ChannelNotOffered
            | Refusal::TermsNotAccepted
            | Refusal::CustomerProofRefused { .. }
            | Refusal::OriginRefused
            | Refusal::UrlRefused { .. }
            | Refusal::AuctionClosed
            | Refusal::BidTooLow { .. }
            | Refusal::BidTooHigh { .. }
            | Refusal::BidCurrency { .. }
            | Refusal::BidNotWithdrawable
            | Refusal::AgentLacksSkill
            | Refusal::AgentNotIndependent
            | Refusal::AgentStartedIt
            | Refusal::InquiryTaken
            | Refusal::InquiryClosed
            | Refusal::OtherAllocation
            | Refusal::PlaceLost
            | Refusal::ReservationLapsed
            | Refusal::ReservationRescinded
            | Refusal::ReservationClosed
            | Refusal::SessionClosed
            | Refusal::ChannelClosed
            | Refusal::NotAParticipant
            | Refusal::SourceForked => false,
        }
    }
}
