//! Accepting an offer.

use super::super::scalars::Json;
use super::super::types::enums::{ChannelKind, Initiator};
use super::origin::origin_of;
use super::parse::{self, Path};
use async_graphql::{ID, InputObject};
use domain::command::Acceptance;
use domain::ids::{CustomerId, LinkId, OfferId};
use domain::refusal::Refusal;
use domain::sealed::Sealed;
use domain::terms::{ContentReference, Placement};
use domain::topic::Topic;
use serde_json::{Map, Value};

const QUESTION_CHARS_MAX: usize = 4_000;
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
    pub channel: ChannelKind,
    #[graphql(default_with = "Initiator::Customer")]
    pub initiator: Initiator,
    pub language: Option<String>,
    pub customer: Option<CustomerInput>,
    pub terms_version: Option<String>,
    pub idempotency_key: String,
}

/// An acceptance, all but who accepts and what is sealed for them.
#[derive(Debug)]
pub struct ParsedAcceptance {
    pub offer: OfferId,
    offer_revision: Option<u32>,
    link: Option<LinkId>,
    topics: Vec<Topic>,
    /// Its address stands in the log in clear, so without query and fragment, which may name a person.
    content: Option<ContentReference>,
    content_origin: Option<String>,
    /// To be sealed: `{"attributes", "displayName", "email", "phone"}`.
    pub profile: Option<String>,
    /// To be sealed: `{"excerpt", "question", "title"}`.
    pub question: Option<String>,
}

impl AcceptOfferInput {
    pub fn parse(&self) -> Result<ParsedAcceptance, Refusal> {
        let path = Path::Input;
        let revision = |given| parse::count(&path.member("offerRevision"), given);
        let content = self.content.as_ref();
        let content_origin = content.map(ContentReferenceInput::origin).transpose()?;
        if let Some(version) = &self.terms_version {
            domain::check::text(&["termsVersion"], version, domain::check::TEXT_CHARS_MAX)?;
        }
        Ok(ParsedAcceptance {
            offer: parse::id(&self.offer_id, "offerId")?,
            offer_revision: self.offer_revision.map(revision).transpose()?,
            link: self.link_id.as_ref().map(|id| parse::id(id, "linkId")).transpose()?,
            topics: parse::topics(&path.member("topics"), self.topics.as_deref().unwrap_or_default())?,
            // The decision says where the customer met the offer.
            content: content.map(|content| ContentReference { placement: Placement::Direct, url: content.page() }),
            content_origin,
            profile: self.customer.as_ref().map(CustomerInput::profile).transpose()?.flatten(),
            question: self.question()?,
        })
    }

    /// Title and excerpt may repeat what the customer wrote, so they are kept with the question, sealed, and
    /// without a question not at all.
    fn question(&self) -> Result<Option<String>, Refusal> {
        let path = Path::Input;
        let mut members = Map::new();
        if let Some(question) = &self.question {
            parse::text(&path.member("question"), question, QUESTION_CHARS_MAX)?;
            members.insert("question".to_owned(), question.as_str().into());
        }
        if let Some(content) = &self.content {
            let path = path.member("content");
            if let Some(title) = &content.title {
                parse::text_or_nothing(&path.member("title"), title, CONTENT_TITLE_CHARS_MAX)?;
                members.insert("title".to_owned(), title.as_str().into());
            }
            if let Some(excerpt) = &content.excerpt {
                parse::text_or_nothing(&path.member("excerpt"), excerpt, EXCERPT_CHARS_MAX)?;
                members.insert("excerpt".to_owned(), excerpt.as_str().into());
            }
        }
        Ok(self.question.as_ref().map(|_| Value::Object(members).to_string()))
    }

    /// `question` and `profile`: sealed for `customer`.
    pub fn acceptance(
        &self,
        parsed: ParsedAcceptance,
        customer: CustomerId,
        question: Option<Sealed>,
        profile: Option<Sealed>,
    ) -> Acceptance {
        Acceptance {
            offer: parsed.offer,
            offer_revision: parsed.offer_revision,
            link: parsed.link,
            topics: parsed.topics,
            question,
            content: parsed.content,
            content_origin: parsed.content_origin,
            channel: self.channel.into(),
            initiator: self.initiator.into(),
            language: self.language.clone(),
            customer,
            customer_is_new: true,
            profile,
            terms_version: self.terms_version.clone(),
            waiting: Vec::new(),
            known_topics: Vec::new(),
            community_origins: Vec::new(),
        }
    }
}

impl ContentReferenceInput {
    /// The address without query and fragment.
    fn page(&self) -> String {
        let end = self.url.find(['?', '#']).unwrap_or(self.url.len());
        self.url[..end].to_owned()
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
            channel: ChannelKind::Message,
            initiator: Initiator::Customer,
            language: None,
            customer: None,
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
        let parsed = AcceptOfferInput { content: content("https://Bank.example/a"), ..input() }.parse().unwrap();
        assert_eq!(parsed.question.unwrap(), r#"{"question":"Where is my card?","title":"Cards"}"#);
        assert_eq!(parsed.content_origin.unwrap(), "https://bank.example");
        assert_eq!(parsed.profile, None);
        let by_link = AcceptOfferInput { question: None, content: content("https://bank.example"), ..input() };
        assert_eq!(by_link.parse().unwrap().question, None, "no question was asked");
        let customer = CustomerInput {
            display_name: Some("Ann".into()),
            attributes: Some(Json::from_text(r#"{"tier":"gold"}"#).unwrap()),
            ..CustomerInput::default()
        };
        let parsed = AcceptOfferInput { customer: Some(customer), ..input() }.parse().unwrap();
        assert_eq!(parsed.profile.unwrap(), r#"{"attributes":{"tier":"gold"},"displayName":"Ann"}"#);
        let nothing = AcceptOfferInput { customer: Some(CustomerInput::default()), ..input() };
        assert_eq!(nothing.parse().unwrap().profile, None);
    }

    #[test]
    fn the_page_is_kept_without_query_and_fragment() {
        for url in ["https://bank.example/a", "https://bank.example/a?mail=ann#x", "https://bank.example/a#x?y"] {
            let parsed = AcceptOfferInput { content: content(url), ..input() }.parse().unwrap();
            assert_eq!(parsed.content.unwrap().url, "https://bank.example/a");
        }
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
