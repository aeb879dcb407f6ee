//! Customers, as far as each viewer may see them.

use super::connection::Pager;
use super::enums::InformationOutcome;
use super::eyes::Eyes;
use super::fresh;
use super::record::{InquiryRecord, InquiryRecordConnection};
use super::rights::{CustomerSight, Sight};
use super::sealed::{Opening, Profile};
use crate::app::{App, blocking};
use crate::graphql::app;
use crate::graphql::scalars::{Cursor, DateTime, Json};
use async_graphql::{Context, Error, ID, Object, SimpleObject, Value};
use domain::actor::Actor;
use domain::ids::{CustomerId, InquiryId, ProviderId};
use domain::sealed::Sealed;
use domain::time::Timestamp;
use projections::history::lists::InquiryFilter;
use projections::live::inquiry::InquiryRow;
use std::sync::Arc;

pub struct Customer {
    id: CustomerId,
    since: Timestamp,
    sees: CustomerSight,
    profile: Opening<Profile>,
    /// Names of the attributes that a masked customer shows.
    shown: Vec<String>,
    /// Records of offers of this provider alone; absent: of all.
    provider: Option<ProviderId>,
    eyes: Eyes,
}

impl Customer {
    /// Its own record, and for operators that there is one. Others meet a customer at an inquiry.
    pub(crate) async fn load(app: &Arc<App>, eyes: impl Into<Eyes>, id: CustomerId) -> Result<Option<Customer>, Error> {
        let eyes = eyes.into();
        let sees = match eyes.viewer {
            Actor::Customer(own) if own == id => CustomerSight::Full,
            Actor::Operator(_) => CustomerSight::Sealed,
            _ => return Ok(None),
        };
        let Some(row) = eyes.live(app).customer(id) else { return Ok(None) };
        Ok(Some(Customer {
            id,
            since: row.since,
            sees,
            profile: Opening::new(row.profile.filter(|_| sees == CustomerSight::Full)),
            shown: Vec::new(),
            provider: None,
            eyes,
        }))
    }

    /// The customer of an inquiry. What it gave with this acceptance comes before what the customer database
    /// answered, and that before what it gave last anywhere.
    pub(crate) fn of(app: &App, sight: &Sight) -> Option<Customer> {
        let (inquiry, accepted) = sight.handle.read(|dossier| {
            let accepted = dossier.acceptance().and_then(|acceptance| acceptance.profile.clone());
            Some((dossier.inquiry()?.clone(), accepted))
        })?;
        let answered = inquiry.information.as_ref().and_then(|information| information.profile.clone());
        Customer::at(app, sight, &inquiry, accepted.or(answered))
    }

    fn at(app: &App, sight: &Sight, inquiry: &InquiryRow, given: Option<Arc<Sealed>>) -> Option<Customer> {
        let sees = sight.customer(inquiry);
        if sees == CustomerSight::None {
            return None;
        }
        let known = sight.eyes.live(app).customer(inquiry.customer);
        let since = known.as_ref().map_or(inquiry.accepted_at, |row| row.since);
        let profile = given.or_else(|| known.and_then(|row| row.profile)).filter(|_| sees != CustomerSight::Sealed);
        Some(Customer {
            id: inquiry.customer,
            since,
            sees,
            profile: Opening::new(profile),
            shown: inquiry.terms.shown_before_consent.clone(),
            provider: Some(inquiry.provider),
            eyes: sight.eyes.clone(),
        })
    }

    fn is_masked(&self) -> bool {
        self.sees != CustomerSight::Full
    }
}

/// `A.` of Ann: the first letter, whatever the script.
fn initial(name: &str) -> Option<String> {
    let first = name.trim().chars().next()?;
    Some(format!("{}.", first.to_uppercase()))
}

/// The members that are named.
fn only(attributes: &Value, names: &[String]) -> Option<Value> {
    let Value::Object(members) = attributes else { return None };
    let shown = members.iter().filter(|(name, _)| names.iter().any(|shown| shown == name.as_str()));
    Some(Value::Object(shown.map(|(name, value)| (name.clone(), value.clone())).collect()))
}

/// Masked: attributes outside `shownBeforeConsent`, e-mail and telephone null, name reduced to an initial. Erased: all null.
#[Object]
impl Customer {
    pub(crate) async fn id(&self) -> ID {
        self.id.to_string().into()
    }
    async fn display_name(&self, ctx: &Context<'_>) -> Result<Option<String>, Error> {
        let name = self.profile.get(app(ctx)).await?.and_then(|profile| profile.display_name.as_deref());
        Ok(name.and_then(|name| if self.is_masked() { initial(name) } else { Some(name.to_owned()) }))
    }
    async fn email(&self, ctx: &Context<'_>) -> Result<Option<&str>, Error> {
        if self.is_masked() {
            return Ok(None);
        }
        Ok(self.profile.get(app(ctx)).await?.and_then(|profile| profile.email.as_deref()))
    }
    async fn phone(&self, ctx: &Context<'_>) -> Result<Option<&str>, Error> {
        if self.is_masked() {
            return Ok(None);
        }
        Ok(self.profile.get(app(ctx)).await?.and_then(|profile| profile.phone.as_deref()))
    }
    async fn attributes(&self, ctx: &Context<'_>) -> Result<Option<Json>, Error> {
        let attributes = self.profile.get(app(ctx)).await?.and_then(|profile| profile.attributes.as_ref());
        let shown =
            attributes.and_then(|all| if self.is_masked() { only(all, &self.shown) } else { Some(all.clone()) });
        Ok(shown.map(Json))
    }
    async fn masked(&self) -> bool {
        self.is_masked()
    }
    async fn since(&self) -> DateTime {
        DateTime(self.since)
    }
    /// Inquiry information saved earlier with offers of the same provider. Before consent: `at` and `topics` alone.
    async fn records(
        &self,
        ctx: &Context<'_>,
        first: i32,
        after: Option<Cursor>,
    ) -> Result<InquiryRecordConnection, Error> {
        let app = app(ctx);
        let list = format_args!("records of {} {:?}", self.id, self.sees).to_string();
        let pager = Pager::<u128>::new(app, &self.eyes, list, &self.provider, first, after)?;
        fresh::caught_up(app).await?;
        let filter = InquiryFilter { customer: Some(self.id), provider: self.provider, ..InquiryFilter::default() };
        let whole = self.sees == CustomerSight::Full || self.sees == CustomerSight::Sealed;
        let mut found = Vec::new();
        let mut at = pager.after.map(InquiryId);
        // An inquiry without a record gives none, so a page may need several reads.
        loop {
            let (filter, limit, house) = (filter.clone(), pager.limit(), app.clone());
            let rows = blocking(move || house.history.inquiries(&filter, at, limit)).await?;
            let ended = rows.len() < pager.limit();
            for row in rows {
                at = Some(row.id);
                let Some(handle) = self.eyes.dossier(app, row.id).await? else { continue };
                let record = InquiryRecord::of(&handle, &self.eyes, whole);
                found.extend(record.map(|record| (row.id.0, record)));
            }
            if ended || found.len() > pager.first {
                return Ok(InquiryRecordConnection::page(&pager, pager.cut(found)));
            }
        }
    }
}

/// The request for user information to the customer database and its answer. UNAVAILABLE: no answer in time; selection went on without.
#[derive(SimpleObject)]
pub struct CustomerInformation {
    requested_at: DateTime,
    answered_at: Option<DateTime>,
    outcome: InformationOutcome,
    customer: Option<Customer>,
}

impl CustomerInformation {
    pub(crate) fn of(app: &App, sight: &Sight) -> Option<CustomerInformation> {
        let inquiry = sight.handle.read(|dossier| dossier.inquiry().cloned())?;
        let information = inquiry.information.clone()?;
        // Whoever sees the customer no more is not told about the request either.
        if sight.part.is_agent() && sight.customer(&inquiry) == CustomerSight::None {
            return None;
        }
        let customer =
            Customer::at(app, sight, &inquiry, information.profile).filter(|_| information.outcome.is_some());
        Some(CustomerInformation {
            requested_at: DateTime(information.requested_at),
            answered_at: information.answered_at.map(DateTime),
            outcome: information.outcome.into(),
            customer,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_shows_its_initial() {
        assert_eq!(initial(" ann Lee").as_deref(), Some("A."));
        assert_eq!(initial("ßen").as_deref(), Some("SS."));
        assert_eq!(initial("  "), None);
    }

    #[test]
    fn only_named_attributes_are_shown() {
        let all = Json::from_text(r#"{"tier":"gold","iban":"DE00","since":2019}"#).unwrap().0;
        let shown = only(&all, &["tier".to_owned(), "since".to_owned(), "absent".to_owned()])
            .map(|value| Json(value).to_text());
        assert_eq!(shown.as_deref(), Some(r#"{"tier":"gold","since":2019}"#));
        assert_eq!(only(&Value::from("gold"), &[]), None);
    }
}
