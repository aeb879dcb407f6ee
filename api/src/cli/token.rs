//! `callmarket token`: a bearer token, signed with the house's own key, or the end of one.

use super::{Failure, Found, Misuse, Place};
use crate::auth::{SigningKey, unix_time};
use crate::revoked::Revocation;
use clap::Args;
use domain::actor::{Actor, Role};
use domain::time::Span;
use std::time::Duration;

#[derive(Args)]
pub(crate) struct Token {
    #[command(flatten)]
    place: Place,
    /// operator, provider, agent, finance or customer
    #[arg(long, value_parser = role, required_unless_present = "revoke")]
    role: Option<Role>,
    /// Whose token it is: prv_…, agt_…, cus_…, or a name for operators and finance people
    #[arg(long)]
    subject: Option<String>,
    /// How long it is good: a number with s, m, h or d
    #[arg(long, default_value = "12h", value_parser = ttl)]
    ttl: Span,
    /// Prints none, but ends this one for good, within 5 s: a token, or its jti
    #[arg(long, value_name = "TOKEN", conflicts_with_all = ["role", "subject", "revoke_all"])]
    revoke: Option<String>,
    /// Prints none, but ends every token that this role and subject has been given until now
    #[arg(long)]
    revoke_all: bool,
}

impl Token {
    pub(crate) fn run(self) -> Result<Found, Failure> {
        if let Some(token) = &self.revoke {
            let folder = self.place.beside()?;
            let key = SigningKey::open(folder.path())?;
            let jti =
                key.jti(token).ok_or_else(|| Misuse("--revoke: no token of this house, and no jti".to_owned()))?;
            SigningKey::revoke(folder.path(), &Revocation::Token(jti))?;
            return Ok(Found::Nothing);
        }
        let role = self.role.ok_or_else(|| Misuse("--role is needed".to_owned()))?;
        let subject = match (role, self.subject) {
            (_, Some(subject)) => subject,
            (Role::Operator, None) => "operator".to_owned(),
            (Role::Finance, None) => "finance".to_owned(),
            _ => return Err(Misuse("this role needs --subject with its id".to_owned()).into()),
        };
        let actor = Actor::new(role, Some(&subject)).map_err(|_| {
            let kinds = "prv_…, agt_…, cus_…, or a plain name of at most 64 of A-Z a-z 0-9 . _ -";
            Misuse(format!("{subject}: not a subject of this role: {kinds}"))
        })?;
        let folder = self.place.beside_or_new()?;
        let key = SigningKey::open(folder.path())?;
        if self.revoke_all {
            let now = unix_time();
            SigningKey::revoke(folder.path(), &Revocation::All(actor, now.as_secs()))?;
            // Tokens count in seconds: whoever is given one after this has one that holds.
            std::thread::sleep(Duration::from_secs(now.as_secs() + 1).saturating_sub(now));
            return Ok(Found::Nothing);
        }
        println!("{}", key.mint(&actor, self.ttl)?);
        Ok(Found::Nothing)
    }
}

/// In either case.
fn role(text: &str) -> Result<Role, String> {
    match text.to_ascii_lowercase().as_str() {
        "operator" => Ok(Role::Operator),
        "provider" => Ok(Role::Provider),
        "agent" => Ok(Role::Agent),
        "finance" => Ok(Role::Finance),
        "customer" => Ok(Role::Customer),
        _ => Err("a role is operator, provider, agent, finance or customer".to_owned()),
    }
}

/// `90s`, `15m`, `12h`, `30d`.
fn ttl(text: &str) -> Result<Span, String> {
    let wrong = || "a number with s, m, h or d, such as 12h".to_owned();
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let count: i64 = text[..text.len() - unit.len_utf8()].parse().map_err(|_| wrong())?;
    let total = count.checked_mul(seconds).filter(|total| (1..=10 * 366 * 86_400).contains(total));
    total.map(Span::seconds).ok_or_else(|| "from 1s to ten years".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_that_a_token_can_have() {
        assert_eq!(role("PROVIDER"), Ok(Role::Provider));
        for wrong in ["anonymous", "system", ""] {
            assert!(role(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_lifetime_is_a_number_with_a_unit() {
        assert_eq!(ttl("12h"), Ok(Span::seconds(43_200)));
        assert_eq!(ttl("1s"), Ok(Span::seconds(1)));
        for wrong in ["", "h", "12", "-1h", "0s", "1.5h", "12ü", "9223372036854775807d"] {
            assert!(ttl(wrong).is_err(), "{wrong}");
        }
    }
}
