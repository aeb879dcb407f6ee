//! Accepting an offer.

use super::super::scalars::Json;
use super::super::types::enums::{ChannelKind, Initiator};
use super::origin::origin_of;
use super::parse::{self, Path};
use async_graphql::{ID, InputObject};
use domain::command::{Acceptance, Content};
use domain::event::inquiry::InformationOutcome;
use domain::ids::{CustomerId, LinkId, OfferId};
use domain::refusal::Refusal;
use domain::sealed::Sealed;
use domain::topic::Topic;
use serde_json::{Map, Value, json};

pub(crate) const QUESTION_CHARS_MAX: usize = 4_000;
const CONTENT_TITLE_CHARS_MAX: usize = 300;
const EXCERPT_CHARS_MAX: usize = 2_000;
const EMAIL_CHARS_MAX: usize = 254;
const PHONE_CHARS_MAX: usize = 32;
const ATTRIBUTES_BYTES_MAX: usize = 8 * 1_024;
const ATTRIBUTES_DEPTH_MAX: usize = 8;

#[derive(InputObject, Clone, Debug)]
pub struct ContentReferenceInput {
    pub url: String,
    pub title: Option<String>,
    pub excerpt: Option<String>,
}

#[derive(InputObject, Clone, Debug, Default)]
pub struct CustomerInput {
    pub display_name: Option<String>,
    pub email: Option<String>,
    pub phone: Option<String>,
    pub attributes: Option<Json>,
}

/// At least one of linkId and question. CONTACT_CENTER is refused here. `customerProof`: a JWT signed with the provider's key whose `sub` is the provider's own reference for the customer; without it, or a customer token, the customer is new. Without a token the key must be random: at least 32 hex or 22 base64url characters.
#[derive(InputObject, Clone, Debug)]
pub struct AcceptOfferInput {
    pub offer_id: ID,
    pub offer_revision: Option<i32>,
    pub link_id: Option<ID>,
    pub question: Option<String>,
    pub topics: Option<Vec<String>>,
    pub content: Option<ContentReferenceInput>,
    /// From a page of this house: how the visitor came to it. It is for these offer, link, address and key alone.
    pub click_proof: Option<String>,
    pub channel: ChannelKind,
    #[graphql(default_with = "Initiator::Customer")]
    pub initiator: Initiator,
    pub language: Option<String>,
    pub customer: Option<CustomerInput>,
    pub customer_proof: Option<String>,
    pub terms_version: Option<String>,
    pub idempotency_key: String,
}

#[derive(InputObject, Clone, Debug)]
pub struct StartInquiryInput {
    pub offer_id: ID,
    pub customer_id: Option<ID>,
    pub customer: Option<CustomerInput>,
    pub topic: String,
    pub channel: ChannelKind,
    pub message: Option<String>,
    pub idempotency_key: String,
}

/// An inquiry to be started, all but whom it turns to.
#[derive(Debug)]
pub struct ParsedStart {
    pub offer: OfferId,
    pub customer: Option<CustomerId>,
    topic: Topic,
}

impl StartInquiryInput {
    /// With what is to be sealed before it is recorded.
    pub fn parse(&self) -> Result<(ParsedStart, Personal<String>), Refusal> {
        let path = Path::Input;
        if let Some(message) = &self.message {
            parse::text(&path.member("message"), message, QUESTION_CHARS_MAX)?;
        }
        let message = self.message.as_ref().map(|message| json!({ "question": message }).to_string());
        let profile = self.customer.as_ref().map(CustomerInput::profile).transpose()?.flatten();
        let parsed = ParsedStart {
            offer: parse::id(&self.offer_id, "offerId")?,
            customer: self.customer_id.as_ref().map(|id| parse::id(id, "customerId")).transpose()?,
            topic: parse::topic(&path.member("topic"), &self.topic)?,
        };
        Ok((parsed, Personal { profile, question: message, page: None }))
    }

    /// Without what is sealed.
    pub fn acceptance(&self, parsed: ParsedStart, customer: CustomerId, information: InformationOutcome) -> Acceptance {
        Acceptance {
            offer: parsed.offer,
            offer_revision: None,
            link: None,
            topics: vec![parsed.topic],
            classified: None,
            question: None,
            content: None,
            channel: self.channel.into(),
            initiator: domain::terms::Initiator::ContactCenter,
            language: None,
            customer,
            information,
            last_agents: vec![],
            proven_by: None,
            profile: None,
            terms_version: None,
            waiting: Vec::new(),
            known_topics: Vec::new(),
            community_origins: Vec::new(),
        }
    }
}

/// An acceptance, all but who accepts and what is sealed for them.
#[derive(Debug)]
pub struct ParsedAcceptance {
    pub offer: OfferId,
    offer_revision: Option<u32>,
    link: Option<LinkId>,
    topics: Vec<Topic>,
    content_origin: Option<String>,
}

/// What of an acceptance is somebody's own words or personal data, in clear or sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Personal<T> {
    /// `{"attributes", "displayName", "email", "phone"}`.
    pub profile: Option<T>,
    /// `{"question"}`.
    pub question: Option<T>,
    /// `{"excerpt", "title", "url"}`: the page writes there what it likes, a person's name too.
    pub page: Option<T>,
}

impl AcceptOfferInput {
    /// With what is to be sealed before it is recorded.
    pub fn parse(&self) -> Result<(ParsedAcceptance, Personal<String>), Refusal> {
        let path = Path::Input;
        let revision = |given| parse::count(&path.member("offerRevision"), given);
        let content = self.content.as_ref();
        let content_origin = content.map(ContentReferenceInput::origin).transpose()?;
        let profile = || self.customer.as_ref().map(CustomerInput::profile).transpose();
        if let Some(version) = &self.terms_version {
            domain::check::text(&["termsVersion"], version, domain::check::TEXT_CHARS_MAX)?;
        }
        let parsed = ParsedAcceptance {
            offer: parse::id(&self.offer_id, "offerId")?,
            offer_revision: self.offer_revision.map(revision).transpose()?,
            link: self.link_id.as_ref().map(|id| parse::id(id, "linkId")).transpose()?,
            topics: parse::topics(&path.member("topics"), self.topics.as_deref().unwrap_or_default())?,
            content_origin,
        };
        let personal = Personal {
            profile: profile()?.flatten(),
            question: self.question()?,
            page: content.map(ContentReferenceInput::page).transpose()?,
        };
        Ok((parsed, personal))
    }

    fn question(&self) -> Result<Option<String>, Refusal> {
        let Some(question) = &self.question else { return Ok(None) };
        parse::text(&Path::Input.member("question"), question, QUESTION_CHARS_MAX)?;
        Ok(Some(json!({ "question": question }).to_string()))
    }

    /// `sealed`: for `customer`, whatever of it was given.
    pub fn acceptance(&self, parsed: ParsedAcceptance, customer: CustomerId, sealed: Personal<Sealed>) -> Acceptance {
        let content = |(origin, page)| Content { origin, page, direct: false };
        Acceptance {
            offer: parsed.offer,
            offer_revision: parsed.offer_revision,
            link: parsed.link,
            topics: parsed.topics,
            question: sealed.question,
            classified: None,
            // The decision says where the customer met the offer.
            content: parsed.content_origin.zip(sealed.page).map(content),
            channel: self.channel.into(),
            initiator: self.initiator.into(),
            language: self.language.clone(),
            customer,
            information: InformationOutcome::New,
            last_agents: vec![],
            proven_by: None,
            profile: sealed.profile,
            terms_version: self.terms_version.clone(),
            waiting: Vec::new(),
            known_topics: Vec::new(),
            community_origins: Vec::new(),
        }
    }
}

impl ContentReferenceInput {
    /// One JSON object of what was given.
    fn page(&self) -> Result<String, Refusal> {
        let input = Path::Input;
        let path = input.member("content");
        let mut members = Map::new();
        if let Some(excerpt) = &self.excerpt {
            parse::text_or_nothing(&path.member("excerpt"), excerpt, EXCERPT_CHARS_MAX)?;
            members.insert("excerpt".to_owned(), excerpt.as_str().into());
        }
        if let Some(title) = &self.title {
            parse::text_or_nothing(&path.member("title"), title, CONTENT_TITLE_CHARS_MAX)?;
            members.insert("title".to_owned(), title.as_str().into());
        }
        members.insert("url".to_owned(), self.url.as_str().into());
        Ok(Value::Object(members).to_string())
    }
    fn origin(&self) -> Result<String, Refusal> {
        domain::check::url(&["content", "url"], &self.url)?;
        let message = "an http or https address with a plain host name";
        origin_of(&self.url).ok_or_else(|| Refusal::invalid(&["content", "url"], message))
    }
}

impl CustomerInput {
    /// One JSON object of what was given; absent where nothing was.
    fn profile(&self) -> Result<Option<String>, Refusal> {
        let input = Path::Input;
        let path = input.member("customer");
        let mut members = Map::new();
        if let Some(name) = &self.display_name {
            domain::check::text(&["customer", "displayName"], name, domain::check::TEXT_CHARS_MAX)?;
            members.insert("displayName".to_owned(), name.as_str().into());
        }
        if let Some(email) = &self.email {
            // Whether it is anybody's, only a mail to it tells.
            let plain = !email.chars().any(|c| c.is_control() || c.is_whitespace());
            let split = email.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty());
            if !plain || !split || email.chars().count() > EMAIL_CHARS_MAX {
                let message = format!("an address such as ann@example.org of at most {EMAIL_CHARS_MAX} characters");
                return Err(path.member("email").invalid(message));
            }
            members.insert("email".to_owned(), email.as_str().into());
        }
        if let Some(phone) = &self.phone {
            let plain = phone.chars().all(|c| c.is_ascii_digit() || "+()- ".contains(c));
            let dialled = phone.chars().any(|c| c.is_ascii_digit());
            if !plain || !dialled || phone.len() > PHONE_CHARS_MAX {
                let message = format!("at most {PHONE_CHARS_MAX} digits, spaces and + ( ) -");
                return Err(path.member("phone").invalid(message));
            }
            members.insert("phone".to_owned(), phone.as_str().into());
        }
        if let Some(attributes) = &self.attributes {
            let path = path.member("attributes");
            let value = parse::json(&path, attributes, ATTRIBUTES_BYTES_MAX, ATTRIBUTES_DEPTH_MAX)?;
            if !value.is_object() {
                return Err(path.invalid("a JSON object"));
            }
            members.insert("attributes".to_owned(), value);
        }
        Ok((!members.is_empty()).then(|| Value::Object(members).to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input() -> AcceptOfferInput {
        AcceptOfferInput {
            offer_id: ID(OfferId(1).to_string()),
            offer_revision: None,
            link_id: None,
            question: Some("Where is my card?".into()),
            topics: None,
            content: None,
            click_proof: None,
            channel: ChannelKind::Message,
            initiator: Initiator::Customer,
            language: None,
            customer: None,
            customer_proof: None,
            terms_version: None,
            idempotency_key: "k".into(),
        }
    }
    fn content(url: &str) -> Option<ContentReferenceInput> {
        Some(ContentReferenceInput { url: url.into(), title: Some("Cards".into()), excerpt: None })
    }
    fn field(input: AcceptOfferInput) -> Vec<String> {
        input.parse().unwrap_err().field().unwrap()
    }

    #[test]
    fn what_is_sealed_is_one_object_each() {
        let asked = AcceptOfferInput { content: content("https://Bank.example/a"), ..input() };
        let (parsed, personal) = asked.parse().unwrap();
        assert_eq!(personal.question.unwrap(), r#"{"question":"Where is my card?"}"#);
        assert_eq!(personal.page.unwrap(), r#"{"title":"Cards","url":"https://Bank.example/a"}"#);
        assert_eq!(parsed.content_origin.unwrap(), "https://bank.example");
        assert_eq!(personal.profile, None);
        let by_link = AcceptOfferInput { question: None, content: content("https://bank.example"), ..input() };
        let (_, personal) = by_link.parse().unwrap();
        assert_eq!(personal.question, None, "no question was asked");
        assert!(personal.page.is_some(), "the page is known all the same");
        let customer = CustomerInput {
            display_name: Some("Ann".into()),
            attributes: Some(Json::from_text(r#"{"tier":"gold"}"#).unwrap()),
            ..CustomerInput::default()
        };
        let (_, personal) = AcceptOfferInput { customer: Some(customer), ..input() }.parse().unwrap();
        assert_eq!(personal.profile.unwrap(), r#"{"attributes":{"tier":"gold"},"displayName":"Ann"}"#);
        let nothing = AcceptOfferInput { customer: Some(CustomerInput::default()), ..input() };
        assert_eq!(nothing.parse().unwrap().1.profile, None);
    }

    #[test]
    fn an_address_is_sealed_whole_and_only_its_origin_stays_in_clear() {
        let url = "https://bank.example/ann?mail=ann#x";
        let input = AcceptOfferInput { content: content(url), ..input() };
        let (parsed, personal) = input.parse().unwrap();
        assert!(personal.page.as_ref().unwrap().contains(url));
        let sealed = Sealed { ciphertext: "".into(), subject: CustomerId(1).into() };
        let personal = Personal { profile: None, question: None, page: Some(sealed.clone()) };
        let acceptance = input.acceptance(parsed, CustomerId(1), personal);
        assert_eq!(
            acceptance.content.unwrap(),
            Content { origin: "https://bank.example".into(), page: sealed, direct: false }
        );
    }

    #[test]
    fn a_customer_is_bounded() {
        let of = |customer| field(AcceptOfferInput { customer: Some(customer), ..input() });
        let blank = CustomerInput::default;
        assert_eq!(of(CustomerInput { display_name: Some("n".repeat(201)), ..blank() }), ["customer", "displayName"]);
        for email in ["ann", "@", "ann@", "a n@example.org", &format!("a@{}", "x".repeat(253))] {
            assert_eq!(of(CustomerInput { email: Some(email.into()), ..blank() }), ["customer", "email"]);
        }
        for phone in ["", "+", "ext 5", "1".repeat(33).as_str()] {
            assert_eq!(of(CustomerInput { phone: Some(phone.into()), ..blank() }), ["customer", "phone"]);
        }
        for attributes in ["[]", "1", "null", r#"{"a":[[[[[[[[1]]]]]]]]}"#] {
            let attributes = Some(Json::from_text(attributes).unwrap());
            assert_eq!(of(CustomerInput { attributes, ..blank() }), ["customer", "attributes"]);
        }
        let fine =
            CustomerInput { email: Some("ann@example.org".into()), phone: Some("+351 (21) 123-456".into()), ..blank() };
        assert!(AcceptOfferInput { customer: Some(fine), ..input() }.parse().is_ok());
    }

    #[test]
    fn an_acceptance_names_what_is_wrong() {
        assert_eq!(field(AcceptOfferInput { question: Some("q".repeat(4_001)), ..input() }), ["question"]);
        assert_eq!(field(AcceptOfferInput { content: content("bank.example"), ..input() }), ["content", "url"]);
        assert_eq!(
            field(AcceptOfferInput { content: content("https://a@bank.example"), ..input() }),
            ["content", "url"]
        );
        assert_eq!(field(AcceptOfferInput { offer_revision: Some(-1), ..input() }), ["offerRevision"]);
        assert_eq!(field(AcceptOfferInput { topics: Some(vec!["a".into(), "B".into()]), ..input() }), ["topics", "1"]);
        let unknown = AcceptOfferInput { link_id: Some(ID("lnk_1".into())), ..input() };
        assert_eq!(unknown.parse().unwrap_err(), Refusal::NotFound { field: "linkId" });
    }
}
