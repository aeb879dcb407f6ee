//! What the house signs for its own pages: that a visitor pressed a form of this house after meeting an offer at
//! such a place (a click), and addresses that open one inquiry or one reservation without a token.
//!
//! Promises: without the store's secret nobody makes one, alters one, or turns one kind into another; one that is
//! right says the same on every node and after every restart, so the same inquiry always has the same address.
//!
//! Not here: what a page shows whom. An address gives the sight of its customer or its agent and no more
//! (`docs/adr/0025-pages-without-javascript.md`).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use domain::ids::{AgentId, InquiryId, LinkId, OfferId, ReservationId};
use domain::terms::{Initiator, Placement};
use domain::time::{Span, Timestamp};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// How long a form may lie open. Its key is remembered for longer.
pub(crate) const CLICK_HOLDS: Span = Span::minutes(120);
/// From the reservation on; its session may follow, and a page that is asked again later says that it is over.
const RESERVATION_HOLDS: Span = Span::minutes(720);
/// 128 bits: nobody guesses them, and addresses stay short.
const MAC_BYTES: usize = 16;
/// Longer ones are refused unread; an address has at most 2,000 characters.
const CLICK_CHARS_MAX: usize = 8 * 1_024;

/// Signs with a secret of the store.
pub(crate) struct Signer(Hmac<Sha256>);

/// What a form was made for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Click {
    pub(crate) offer: OfferId,
    /// Absent: any link of the offer, or none.
    pub(crate) link: Option<LinkId>,
    /// The form's idempotency key: a press and the next one are the same acceptance.
    pub(crate) key: String,
    /// The page that led here, or the house's own.
    pub(crate) url: String,
    pub(crate) placement: Placement,
    pub(crate) initiator: Initiator,
    pub(crate) until: Timestamp,
}

impl Signer {
    pub(crate) fn new(secret: &[u8; 32]) -> Signer {
        Signer(Hmac::new_from_slice(secret).expect("any length is a key"))
    }

    /// `kind` keeps what is signed for one purpose from serving another.
    fn mac(&self, kind: &str, said: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        mac.update(kind.as_bytes());
        mac.update(&[0]);
        mac.update(said);
        mac
    }

    fn sign(&self, kind: &str, said: &[u8]) -> String {
        BASE64.encode(&self.mac(kind, said).finalize().into_bytes()[..MAC_BYTES])
    }

    fn is_ours(&self, kind: &str, said: &[u8], signature: &str) -> bool {
        let given = BASE64.decode(signature).ok().filter(|given| given.len() == MAC_BYTES);
        given.is_some_and(|given| self.mac(kind, said).verify_truncated_left(&given).is_ok())
    }

    pub(crate) fn click(&self, click: &Click) -> String {
        let said = serde_json::to_string(click).expect("a click is JSON");
        format!("{}.{}", BASE64.encode(&said), self.sign("click", said.as_bytes()))
    }

    /// What this house signed, be it too old; absent where it did not.
    pub(crate) fn read_click(&self, proof: &str) -> Option<Click> {
        if proof.len() > CLICK_CHARS_MAX {
            return None;
        }
        let (said, signature) = proof.split_once('.')?;
        let said = BASE64.decode(said).ok()?;
        if !self.is_ours("click", &said, signature) {
            return None;
        }
        serde_json::from_slice(&said).ok()
    }

    /// The last part of an inquiry's address: whoever has it is its customer there.
    pub(crate) fn inquiry(&self, inquiry: InquiryId) -> String {
        let id = inquiry.0.to_be_bytes();
        format!("{}{}", BASE64.encode(id), self.sign("inquiry", &id))
    }

    pub(crate) fn read_inquiry(&self, capability: &str) -> Option<InquiryId> {
        // Sixteen bytes are 22 characters.
        let (id, signature) = capability.split_at_checked(22)?;
        let id: [u8; 16] = BASE64.decode(id).ok()?.try_into().ok()?;
        self.is_ours("inquiry", &id, signature).then(|| InquiryId(u128::from_be_bytes(id)))
    }

    /// What opens one reservation's page to the agent it is for.
    pub(crate) fn reservation(&self, reservation: ReservationId, agent: AgentId, reserved_at: Timestamp) -> String {
        let until = reserved_at.0.saturating_add(RESERVATION_HOLDS.0);
        format!("{until:x}.{}", self.sign("reservation", &reservation_said(reservation, agent, until)))
    }

    pub(crate) fn opens_reservation(
        &self,
        access: &str,
        reservation: ReservationId,
        agent: AgentId,
        now: Timestamp,
    ) -> bool {
        let Some((until, signature)) = access.split_once('.') else { return false };
        let Ok(until) = i64::from_str_radix(until, 16) else { return false };
        now.0 < until && self.is_ours("reservation", &reservation_said(reservation, agent, until), signature)
    }
}

fn reservation_said(reservation: ReservationId, agent: AgentId, until: i64) -> Vec<u8> {
    [&reservation.0.to_be_bytes()[..], &agent.0.to_be_bytes(), &until.to_be_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer() -> Signer {
        Signer::new(&[7; 32])
    }
    fn click() -> Click {
        Click {
            offer: OfferId(1),
            link: Some(LinkId(2)),
            key: "k".repeat(32),
            url: "https://bank.example/a".into(),
            placement: Placement::ProviderPage,
            initiator: Initiator::Customer,
            until: Timestamp(1_000),
        }
    }

    #[test]
    fn a_click_is_read_back_and_any_other_character_spoils_it() {
        let proof = signer().click(&click());
        assert_eq!(signer().read_click(&proof), Some(click()));
        for at in 0..proof.len() {
            let mut altered = proof.clone().into_bytes();
            altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8(altered).unwrap();
            // The last character of base64 may hold bits that are no one's; the decoder refuses those.
            assert_eq!(signer().read_click(&altered), None, "character {at}");
        }
        assert_eq!(Signer::new(&[8; 32]).read_click(&proof), None);
        for broken in ["", ".", "a.b", &proof[..proof.len() - 1], &format!("{proof}A"), &"x".repeat(9_000)] {
            assert_eq!(signer().read_click(broken), None);
        }
    }

    #[test]
    fn an_address_opens_its_own_inquiry() {
        let address = signer().inquiry(InquiryId(5));
        assert_eq!(signer().read_inquiry(&address), Some(InquiryId(5)));
        assert_eq!(address.len(), 44);
        let (own, other) = (address, signer().inquiry(InquiryId(6)));
        assert_eq!(signer().read_inquiry(&format!("{}{}", &own[..22], &other[22..])), None);
        assert_eq!(signer().read_inquiry(&own[..22]), None);
        assert_eq!(signer().read_inquiry("ä".repeat(22).as_str()), None);
    }

    #[test]
    fn a_reservation_opens_to_its_agent_until_its_time() {
        let (reservation, agent, at) = (ReservationId(1), AgentId(2), Timestamp(1_000));
        let access = signer().reservation(reservation, agent, at);
        let end = at.0 + RESERVATION_HOLDS.0;
        let opens = |reservation, agent, now| signer().opens_reservation(&access, reservation, agent, Timestamp(now));
        assert!(opens(reservation, agent, end - 1));
        assert!(!opens(reservation, agent, end));
        assert!(!opens(reservation, AgentId(3), 0));
        assert!(!opens(ReservationId(2), agent, 0));
        let (_, signature) = access.split_once('.').unwrap();
        assert!(!signer().opens_reservation(&format!("7fffffff.{signature}"), reservation, agent, at));
    }
}
