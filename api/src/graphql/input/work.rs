//! What agents and customers do with an inquiry: bids, reservations, sessions, withdrawal.

use super::super::scalars::{Duration, Json};
use super::parse::{self, MoneyInput, Path, SkillInput};
use crate::graphql::types::enums::{ChannelKind, ChannelReport};
use async_graphql::{ID, InputObject, OneofObject};
use domain::command::AgentChoice;
use domain::ids::SessionId;
use domain::refusal::Refusal;

pub const MESSAGE_CHARS_MAX: usize = 4_000;
pub const NOTES_CHARS_MAX: usize = 20_000;
pub const REASON_CHARS_MAX: usize = 2_000;
const INFORMATION_BYTES_MAX: usize = 16 * 1_024;
const INFORMATION_DEPTH_MAX: usize = 16;

#[derive(InputObject, Clone, Debug)]
pub struct WithdrawInquiryInput {
    pub inquiry_id: ID,
    pub reason: Option<String>,
    pub idempotency_key: String,
}

#[derive(InputObject, Clone, Debug)]
pub struct ResumeInquiryInput {
    pub inquiry_id: ID,
    pub idempotency_key: String,
}

#[derive(InputObject, Clone, Debug)]
pub struct ClaimInquiryInput {
    pub inquiry_id: ID,
    pub idempotency_key: String,
}

#[derive(InputObject, Clone, Debug)]
pub struct ConfirmTopicsInput {
    pub inquiry_id: ID,
    pub topics: Vec<String>,
    pub idempotency_key: String,
}

#[derive(InputObject, Clone, Debug)]
pub struct PlaceBidInput {
    pub auction_id: ID,
    pub amount: MoneyInput,
    pub idempotency_key: String,
}

#[derive(InputObject, Clone, Debug)]
pub struct WithdrawBidInput {
    pub bid_id: ID,
    pub idempotency_key: String,
}

#[derive(InputObject, Clone, Debug)]
pub struct ViewReservationInput {
    pub reservation_id: ID,
    pub idempotency_key: String,
}

#[derive(InputObject, Clone, Debug)]
pub struct AcceptReservationInput {
    pub reservation_id: ID,
    pub idempotency_key: String,
}

#[derive(InputObject, Clone, Debug)]
pub struct DeclineReservationInput {
    pub reservation_id: ID,
    pub reason: Option<String>,
    pub idempotency_key: String,
}

#[derive(InputObject, Clone, Debug)]
pub struct SendMessageInput {
    pub session_id: ID,
    pub channel_id: ID,
    pub text: String,
    pub idempotency_key: String,
}

/// A named agent, or one selected by skills.
#[derive(OneofObject, Clone, Debug)]
pub enum AgentChoiceInput {
    AgentId(ID),
    Skills(Vec<SkillInput>),
}

impl AgentChoiceInput {
    /// `field`: where it stands in the input.
    pub fn parse(&self, field: &'static str) -> Result<AgentChoice, Refusal> {
        match self {
            AgentChoiceInput::AgentId(id) => Ok(AgentChoice::Named(parse::id(id, "agentId")?)),
            AgentChoiceInput::Skills(skills) => {
                let path = Path::Input.member(field);
                Ok(AgentChoice::Skilled(parse::skills(&path.member("skills"), skills)?))
            }
        }
    }
}

#[derive(InputObject, Clone, Debug)]
pub struct InviteAgentInput {
    pub session_id: ID,
    pub agent: AgentChoiceInput,
    pub idempotency_key: String,
}

#[derive(InputObject, Clone, Debug)]
pub struct TransferSessionInput {
    pub session_id: ID,
    pub to: AgentChoiceInput,
    pub note: Option<String>,
    pub idempotency_key: String,
}

#[derive(InputObject, Clone, Debug)]
pub struct RescindReservationInput {
    pub reservation_id: ID,
    pub idempotency_key: String,
}

/// Default kind: another than MAIN's.
#[derive(InputObject, Clone, Debug)]
pub struct OpenSideChannelInput {
    pub session_id: ID,
    pub agent_id: ID,
    pub kind: Option<ChannelKind>,
    pub idempotency_key: String,
}

#[derive(InputObject, Clone, Debug)]
pub struct CloseChannelInput {
    pub channel_id: ID,
    pub idempotency_key: String,
}

#[derive(InputObject, Clone, Debug)]
pub struct ReportChannelInput {
    pub channel_id: ID,
    pub report: ChannelReport,
    pub idempotency_key: String,
}

#[derive(InputObject, Clone, Debug)]
pub struct LeaveSessionInput {
    pub session_id: ID,
    pub idempotency_key: String,
}

#[derive(InputObject, Clone, Debug)]
pub struct EndSessionInput {
    pub session_id: ID,
    pub idempotency_key: String,
}

#[derive(InputObject, Clone, Debug)]
pub struct SaveNotesInput {
    pub session_id: ID,
    pub notes: String,
    pub idempotency_key: String,
}

#[derive(InputObject, Clone, Debug)]
pub struct ExtendWrapUpInput {
    pub session_id: ID,
    pub by: Duration,
    pub idempotency_key: String,
}

#[derive(InputObject, Clone, Debug)]
pub struct CompleteWrapUpInput {
    pub session_id: ID,
    pub notes: Option<String>,
    pub disposition: Option<String>,
    pub information: Option<Json>,
    pub idempotency_key: String,
}

/// Why somebody withdrew or declined.
pub fn reason(given: &Option<String>) -> Result<Option<String>, Refusal> {
    if let Some(reason) = given {
        parse::text(&Path::Input.member("reason"), reason, REASON_CHARS_MAX)?;
    }
    Ok(given.clone())
}

impl CompleteWrapUpInput {
    /// The session, and what is to be sealed: `{"disposition", "information", "notes"}`, absent where
    /// nothing was given.
    pub fn parse(&self) -> Result<(SessionId, Option<String>), Refusal> {
        let path = Path::Input;
        let mut saved = serde_json::Map::new();
        if let Some(notes) = &self.notes {
            parse::text_or_nothing(&path.member("notes"), notes, NOTES_CHARS_MAX)?;
            saved.insert("notes".to_owned(), notes.as_str().into());
        }
        if let Some(disposition) = &self.disposition {
            parse::text(&path.member("disposition"), disposition, domain::check::TEXT_CHARS_MAX)?;
            saved.insert("disposition".to_owned(), disposition.as_str().into());
        }
        if let Some(information) = &self.information {
            let path = path.member("information");
            let value = parse::json(&path, information, INFORMATION_BYTES_MAX, INFORMATION_DEPTH_MAX)?;
            saved.insert("information".to_owned(), value);
        }
        let session = parse::id(&self.session_id, "sessionId")?;
        let saved = (!saved.is_empty()).then(|| serde_json::Value::Object(saved).to_string());
        Ok((session, saved))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrap_up() -> CompleteWrapUpInput {
        CompleteWrapUpInput {
            session_id: ID(SessionId(1).to_string()),
            notes: None,
            disposition: None,
            information: None,
            idempotency_key: "k".into(),
        }
    }

    #[test]
    fn what_wrap_up_saves_is_one_object() {
        assert_eq!(wrap_up().parse().unwrap(), (SessionId(1), None));
        let information = Some(Json::from_text(r#"{"case":"1.50"}"#).unwrap());
        let input = CompleteWrapUpInput { notes: Some("done".into()), information, ..wrap_up() };
        let saved = input.parse().unwrap().1.unwrap();
        assert_eq!(saved, r#"{"information":{"case":"1.50"},"notes":"done"}"#);
    }

    #[test]
    fn what_wrap_up_saves_is_bounded() {
        let field = |input: CompleteWrapUpInput| input.parse().unwrap_err().field().unwrap();
        assert_eq!(field(CompleteWrapUpInput { notes: Some("n".repeat(NOTES_CHARS_MAX + 1)), ..wrap_up() }), ["notes"]);
        let long = Json::from_text(&format!("\"{}\"", "x".repeat(INFORMATION_BYTES_MAX - 1))).unwrap();
        assert_eq!(field(CompleteWrapUpInput { information: Some(long), ..wrap_up() }), ["information"]);
        assert_eq!(field(CompleteWrapUpInput { disposition: Some(String::new()), ..wrap_up() }), ["disposition"]);
    }

    #[test]
    fn a_reason_says_something_or_is_absent() {
        assert_eq!(reason(&None), Ok(None));
        assert_eq!(reason(&Some(" ".into())).unwrap_err().field().unwrap(), ["reason"]);
    }
}
