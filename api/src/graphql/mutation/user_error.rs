//! What a caller who is right about the schema and allowed to call can act on: a refusal, as the contract
//! shows it. Never in top-level `errors`.

use crate::graphql::scalars::DateTime;
use crate::graphql::types::Money;
use async_graphql::{Enum, Interface, SimpleObject};
use domain::refusal::Refusal;

#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserErrorCode {
    Invalid,
    NotFound,
    NameTaken,
    NotAllowedNow,
    LimitReached,
    IdempotencyKeyReused,
    IdempotencyInProgress,
    FourEyes,
    OfferRetired,
    OfferPaused,
    OfferExpired,
    StaleRevision,
    ChannelNotOffered,
    TermsNotAccepted,
    CustomerProofRefused,
    OriginRefused,
    UrlRefused,
    AuctionClosed,
    BidTooLow,
    BidTooHigh,
    BidCurrency,
    BidNotWithdrawable,
    InsufficientFunds,
    AgentNotAvailable,
    AgentBarred,
    AgentLacksSkill,
    AgentAtCapacity,
    LocationAvoided,
    AgentNotIndependent,
    InquiryTaken,
    InquiryClosed,
    OtherAllocation,
    PlaceLost,
    ReservationLapsed,
    ReservationRescinded,
    ReservationClosed,
    SessionClosed,
    ChannelClosed,
    NotAParticipant,
}

/// What a caller who is right about the schema and allowed to call can act on. Never in top-level `errors`.
#[derive(Interface, Clone, Debug, PartialEq)]
#[graphql(
    field(name = "code", ty = "UserErrorCode"),
    field(name = "message", ty = "String"),
    field(name = "field", ty = "Option<Vec<String>>"),
    field(name = "retryable", ty = "bool")
)]
pub enum UserError {
    PlainUserError(PlainUserError),
    BidTooLow(BidTooLow),
    BidTooHigh(BidTooHigh),
    InsufficientFunds(InsufficientFunds),
    StaleRevision(StaleRevision),
    IdempotencyConflict(IdempotencyConflict),
}

/// Each kind has the interface's fields and at most one of its own.
macro_rules! kinds {
    ($($name:ident { $($extra:ident: $ty:ty),* })*) => {
        $(
            #[derive(SimpleObject, Clone, Debug, PartialEq)]
            pub struct $name {
                #[graphql(owned)]
                code: UserErrorCode,
                #[graphql(owned)]
                message: String,
                #[graphql(owned)]
                field: Option<Vec<String>>,
                #[graphql(owned)]
                retryable: bool,
                $($extra: $ty,)*
            }
        )*
    };
}

kinds! {
    PlainUserError {}
    BidTooLow { minimum: Money }
    BidTooHigh { maximum: Money }
    InsufficientFunds { available: Money }
    StaleRevision { current_revision: i32 }
    IdempotencyConflict { first_seen_at: DateTime }
}

impl UserError {}

impl UserError {
    /// For a mutation that has another name for the field than the decision.
    pub(super) fn renamed(mut self, from: &str, to: &str) -> UserError {
        let field = match &mut self {
            UserError::PlainUserError(error) => &mut error.field,
            UserError::BidTooLow(error) => &mut error.field,
            UserError::BidTooHigh(error) => &mut error.field,
            UserError::InsufficientFunds(error) => &mut error.field,
            UserError::StaleRevision(error) => &mut error.field,
            UserError::IdempotencyConflict(error) => &mut error.field,
        };
        if let Some(first) = field.as_mut().and_then(|field| field.first_mut())
            && first == from
        {
            *first = to.to_owned();
        }
        self
    }
}

impl From<&Refusal> for UserErrorCode {
    fn from(refusal: &Refusal) -> UserErrorCode {
        match refusal {
            // Has left as a top-level error before anybody asks.
            Refusal::Forbidden => UserErrorCode::NotAllowedNow,
            Refusal::Invalid { .. } => UserErrorCode::Invalid,
            Refusal::NotFound { .. } => UserErrorCode::NotFound,
            Refusal::NameTaken => UserErrorCode::NameTaken,
            Refusal::NotAllowedNow { .. }
            | Refusal::AgentBlocked
            | Refusal::AgentKeepsAway
            | Refusal::CustomerErased => UserErrorCode::NotAllowedNow,
            Refusal::LimitReached { .. } => UserErrorCode::LimitReached,
            Refusal::KeyReused { .. } => UserErrorCode::IdempotencyKeyReused,
            Refusal::OfferRetired => UserErrorCode::OfferRetired,
            Refusal::OfferPaused => UserErrorCode::OfferPaused,
            Refusal::OfferExpired => UserErrorCode::OfferExpired,
            Refusal::StaleRevision { .. } => UserErrorCode::StaleRevision,
            Refusal::ChannelNotOffered => UserErrorCode::ChannelNotOffered,
            Refusal::TermsNotAccepted => UserErrorCode::TermsNotAccepted,
            Refusal::CustomerProofRefused { .. } => UserErrorCode::CustomerProofRefused,
            Refusal::OriginRefused => UserErrorCode::OriginRefused,
            Refusal::UrlRefused { .. } => UserErrorCode::UrlRefused,
            Refusal::AuctionClosed => UserErrorCode::AuctionClosed,
            Refusal::BidTooLow { .. } => UserErrorCode::BidTooLow,
            Refusal::BidTooHigh { .. } => UserErrorCode::BidTooHigh,
            Refusal::BidCurrency { .. } => UserErrorCode::BidCurrency,
            Refusal::BidNotWithdrawable => UserErrorCode::BidNotWithdrawable,
            Refusal::InsufficientFunds { .. }
            | Refusal::NotPayable { .. }
            | Refusal::ProviderOutOfFunds
            | Refusal::ProviderCannotPay => UserErrorCode::InsufficientFunds,
            Refusal::AgentNotAvailable => UserErrorCode::AgentNotAvailable,
            Refusal::AgentLacksSkill => UserErrorCode::AgentLacksSkill,
            Refusal::AgentBarred { .. } => UserErrorCode::AgentBarred,
            Refusal::AgentAtCapacity => UserErrorCode::AgentAtCapacity,
            Refusal::AgentNotIndependent | Refusal::AgentStartedIt => UserErrorCode::AgentNotIndependent,
            Refusal::LocationAvoided => UserErrorCode::LocationAvoided,
            Refusal::InquiryTaken => UserErrorCode::InquiryTaken,
            Refusal::OtherAllocation => UserErrorCode::OtherAllocation,
            Refusal::PlaceLost => UserErrorCode::PlaceLost,
            Refusal::InquiryClosed => UserErrorCode::InquiryClosed,
            Refusal::ReservationLapsed => UserErrorCode::ReservationLapsed,
            Refusal::ReservationRescinded => UserErrorCode::ReservationRescinded,
            Refusal::ReservationClosed => UserErrorCode::ReservationClosed,
            Refusal::SessionClosed => UserErrorCode::SessionClosed,
            Refusal::ChannelClosed => UserErrorCode::ChannelClosed,
            Refusal::NotAParticipant => UserErrorCode::NotAParticipant,
            // Said to process managers alone.
            Refusal::SourceForked => UserErrorCode::NotAllowedNow,
        }
    }
}

impl From<Refusal> for UserError {
    fn from(refusal: Refusal) -> UserError {
        let code = UserErrorCode::from(&refusal);
        let (message, field, retryable) = (refusal.message(), refusal.field(), refusal.retryable());
        match refusal {
            Refusal::BidTooLow { minimum } => {
                BidTooLow { code, message, field, retryable, minimum: minimum.into() }.into()
            }
            Refusal::BidTooHigh { maximum } => {
                BidTooHigh { code, message, field, retryable, maximum: maximum.into() }.into()
            }
            Refusal::InsufficientFunds { available } | Refusal::NotPayable { payable: available } => {
                InsufficientFunds { code, message, field, retryable, available: available.into() }.into()
            }
            Refusal::StaleRevision { current } => {
                let current_revision = i32::try_from(current).unwrap_or(i32::MAX);
                StaleRevision { code, message, field, retryable, current_revision }.into()
            }
            Refusal::KeyReused { first_seen_at } => {
                IdempotencyConflict { code, message, field, retryable, first_seen_at: DateTime(first_seen_at) }.into()
            }
            Refusal::Forbidden
            | Refusal::Invalid { .. }
            | Refusal::NotFound { .. }
            | Refusal::NameTaken
            | Refusal::NotAllowedNow { .. }
            | Refusal::LimitReached { .. }
            | Refusal::ProviderOutOfFunds
            | Refusal::ProviderCannotPay
            | Refusal::InquiryTaken
            | Refusal::OtherAllocation
            | Refusal::PlaceLost
            | Refusal::OfferRetired
            | Refusal::OfferPaused
            | Refusal::OfferExpired
            | Refusal::ChannelNotOffered
            | Refusal::TermsNotAccepted
            | Refusal::CustomerProofRefused { .. }
            | Refusal::OriginRefused
            | Refusal::UrlRefused { .. }
            | Refusal::AuctionClosed
            | Refusal::BidCurrency { .. }
            | Refusal::BidNotWithdrawable
            | Refusal::AgentNotAvailable
            | Refusal::AgentBarred { .. }
            | Refusal::AgentLacksSkill
            | Refusal::AgentAtCapacity
            | Refusal::AgentNotIndependent
            | Refusal::AgentStartedIt
            | Refusal::AgentBlocked
            | Refusal::AgentKeepsAway
            | Refusal::CustomerErased
            | Refusal::LocationAvoided
            | Refusal::InquiryClosed
            | Refusal::ReservationLapsed
            | Refusal::ReservationRescinded
            | Refusal::ReservationClosed
            | Refusal::SessionClosed
            | Refusal::ChannelClosed
            | Refusal::NotAParticipant
            | Refusal::SourceForked => PlainUserError { code, message, field, retryable }.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_graphql::resolver_utils::EnumType;
    use domain::money::Money;
    use domain::refusal::field;
    use domain::time::Timestamp;

    #[test]
    fn every_refusal_shows_its_own_code() {
        let money = Money::parse("1", "EUR".parse().unwrap()).unwrap();
        let refusals = [
            Refusal::Invalid { field: field(&["a", "0"]), message: "m".into() },
            Refusal::NotFound { field: "bidId" },
            Refusal::NameTaken,
            Refusal::NotAllowedNow { message: "m" },
            Refusal::LimitReached { message: "m" },
            Refusal::KeyReused { first_seen_at: Timestamp(0) },
            Refusal::OfferRetired,
            Refusal::OfferPaused,
            Refusal::OfferExpired,
            Refusal::StaleRevision { current: 2 },
            Refusal::ChannelNotOffered,
            Refusal::TermsNotAccepted,
            Refusal::CustomerProofRefused { message: "" },
            Refusal::OriginRefused,
            Refusal::UrlRefused { message: "m" },
            Refusal::AuctionClosed,
            Refusal::BidTooLow { minimum: money },
            Refusal::BidTooHigh { maximum: money },
            Refusal::BidCurrency { currency: money.currency() },
            Refusal::BidNotWithdrawable,
            Refusal::InsufficientFunds { available: money },
            Refusal::NotPayable { payable: money },
            Refusal::ProviderOutOfFunds,
            Refusal::ProviderCannotPay,
            Refusal::InquiryTaken,
            Refusal::OtherAllocation,
            Refusal::PlaceLost,
            Refusal::AgentNotAvailable,
            Refusal::AgentBarred { until: domain::time::Timestamp(0) },
            Refusal::AgentLacksSkill,
            Refusal::AgentAtCapacity,
            Refusal::AgentNotIndependent,
            Refusal::AgentStartedIt,
            Refusal::AgentBlocked,
            Refusal::AgentKeepsAway,
            Refusal::CustomerErased,
            Refusal::LocationAvoided,
            Refusal::InquiryClosed,
            Refusal::ReservationLapsed,
            Refusal::ReservationRescinded,
            Refusal::ReservationClosed,
            Refusal::SessionClosed,
            Refusal::ChannelClosed,
            Refusal::NotAParticipant,
        ];
        for refusal in refusals {
            let code = UserErrorCode::from(&refusal);
            let item = UserErrorCode::items().iter().find(|item| item.value == code).unwrap();
            assert_eq!(item.name, refusal.code());
        }
    }

    #[test]
    fn what_would_work_comes_with_it() {
        let minimum = Money::parse("5", "EUR".parse().unwrap()).unwrap();
        let UserError::BidTooLow(low) = UserError::from(Refusal::BidTooLow { minimum }) else { panic!() };
        assert_eq!((low.code, low.retryable), (UserErrorCode::BidTooLow, false));
        assert_eq!(low.field, Some(field(&["amount"])));
        assert_eq!(low.minimum, minimum.into());
        let UserError::StaleRevision(stale) = UserError::from(Refusal::StaleRevision { current: 3 }) else { panic!() };
        assert_eq!(stale.current_revision, 3);
        let UserError::PlainUserError(closed) = UserError::from(Refusal::AuctionClosed) else { panic!() };
        assert_eq!(closed.field, None);
    }
}
