//! Customers, as far as each viewer may see them.

use super::connection::Pager;
use super::enums::InformationOutcome;
use super::eyes::Eyes;
use super::fresh;
use super::record::{InquiryRecord, InquiryRecordConnection};
use super::rights::{CustomerSight, Sight};
use super::sealed::{Opening, Profile};
use crate::app::{App, blocking};
use crate::errors::{ErrorCode, code};
use crate::graphql::app;
use crate::graphql::scalars::{Cursor, DateTime, Json};
use async_graphql::{Context, Error, ID, Object, SimpleObject, Value};
use domain::actor::Actor;
use domain::ids::{CustomerId, InquiryId, ProviderId};
use domain::log::LogName;
use domain::sealed::Sealed;
use domain::time::Timestamp;
use projections::history::customers::CustomerRow;
use projections::history::lists::InquiryFilter;
use projections::live::inquiry::InquiryRow;
use std::sync::Arc;
use tokio::sync::OnceCell;

pub struct Customer {
    id: CustomerId,
    sees: CustomerSight,
    /// With the inquiry at which it is met; absent: as given last anywhere.
    given: Option<Arc<Sealed>>,
    /// Of that inquiry.
    accepted_at: Option<Timestamp>,
    /// What history knows, once it is asked for.
    row: OnceCell<Option<CustomerRow>>,
    profile: OnceCell<Opening<Profile>>,
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
        let customer = Customer::new(id, sees, eyes);
        Ok(customer.row(app).await?.is_some().then_some(customer))
    }

    fn new(id: CustomerId, sees: CustomerSight, eyes: Eyes) -> Customer {
        let (row, profile) = (OnceCell::new(), OnceCell::new());
        Customer { id, sees, given: None, accepted_at: None, row, profile, shown: Vec::new(), provider: None, eyes }
    }

    /// The customer of an inquiry. What it gave with this acceptance comes before what the customer database
    /// answered, and that before what it gave last anywhere.
    pub(crate) fn of(sight: &Sight) -> Option<Customer> {
        let (inquiry, accepted) = sight.handle.read(|dossier| {
            let accepted = dossier.acceptance().and_then(|acceptance| acceptance.profile.clone());
            Some((dossier.inquiry()?.clone(), accepted))
        })?;
        let answered = inquiry.information.as_ref().and_then(|information| information.profile.clone());
        Customer::at(sight, &inquiry, accepted.or(answered))
    }

    fn at(sight: &Sight, inquiry: &InquiryRow, given: Option<Arc<Sealed>>) -> Option<Customer> {
        let sees = sight.customer(inquiry);
        if sees == CustomerSight::None {
            return None;
        }
        Some(Customer {
            given,
            accepted_at: Some(inquiry.accepted_at),
            shown: inquiry.terms.shown_before_consent.clone(),
            provider: Some(inquiry.provider),
            ..Customer::new(inquiry.customer, sees, sight.eyes.clone())
        })
    }

    /// What acceptances say of it, up to the moment that is looked at. Errors: UNAVAILABLE where history is behind.
    async fn row(&self, app: &Arc<App>) -> Result<Option<&CustomerRow>, Error> {
        let read = || async {
            let community = LogName::community();
            let until = match &self.eyes.past {
                None => None,
                Some(past) => match past.end(&community) {
                    None => return Ok(None),
                    end => end,
                },
            };
            fresh::caught_up_with(app, &community).await?;
            let (house, id) = (app.clone(), self.id);
            blocking(move || house.history.customer(&*house.store, id, until)).await
        };
        Ok(self.row.get_or_try_init(read).await?.as_ref())
    }

    async fn profile(&self, app: &Arc<App>) -> Result<Option<&Profile>, Error> {
        if self.sees == CustomerSight::Sealed {
            return Ok(None);
        }
        let find = || async {
            let sealed = match &self.given {
                Some(given) => Some(given.clone()),
                None => self.row(app).await?.and_then(|row| row.profile.clone()).map(Arc::new),
            };
            Ok::<_, Error>(Opening::new(sealed))
        };
        self.profile.get_or_try_init(find).await?.get(app).await
    }

    /// The number, to who sees everything.
    pub(crate) async fn telephone(&self, app: &Arc<App>) -> Result<Option<&str>, Error> {
        if self.is_masked() {
            return Ok(None);
        }
        Ok(self.profile(app).await?.and_then(|profile| profile.phone.as_deref()))
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
        let name = self.profile(app(ctx)).await?.and_then(|profile| profile.display_name.as_deref());
        Ok(name.and_then(|name| if self.is_masked() { initial(name) } else { Some(name.to_owned()) }))
    }
    async fn email(&self, ctx: &Context<'_>) -> Result<Option<&str>, Error> {
        if self.is_masked() {
            return Ok(None);
        }
        Ok(self.profile(app(ctx)).await?.and_then(|profile| profile.email.as_deref()))
    }
    async fn phone(&self, ctx: &Context<'_>) -> Result<Option<&str>, Error> {
        self.telephone(app(ctx)).await
    }
    async fn attributes(&self, ctx: &Context<'_>) -> Result<Option<Json>, Error> {
        let attributes = self.profile(app(ctx)).await?.and_then(|profile| profile.attributes.as_ref());
        let shown =
            attributes.and_then(|all| if self.is_masked() { only(all, &self.shown) } else { Some(all.clone()) });
        Ok(shown.map(Json))
    }
    // So is whoever was erased, to everybody.
    async fn masked(&self, ctx: &Context<'_>) -> bool {
        self.is_masked() || app(ctx).live.erased_at(self.id).is_some()
    }
    async fn since(&self, ctx: &Context<'_>) -> Result<DateTime, Error> {
        let known = self.row(app(ctx)).await?.map(|row| row.since).or(self.accepted_at);
        // It is loaded where one of the two is there.
        known.map(DateTime).ok_or_else(|| code(ErrorCode::Unavailable, "History is behind; try again."))
    }
    async fn erased_at(&self, ctx: &Context<'_>) -> Result<Option<DateTime>, Error> {
        Ok(self.eyes.live(app(ctx)).erased_at(self.id).map(DateTime))
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
    pub(crate) fn of(sight: &Sight) -> Option<CustomerInformation> {
        let inquiry = sight.handle.read(|dossier| dossier.inquiry().cloned())?;
        let information = inquiry.information.clone()?;
        // Whoever sees the customer no more is not told about the request either.
        if sight.part.is_agent() && sight.customer(&inquiry) == CustomerSight::None {
            return None;
        }
        let customer = Customer::at(sight, &inquiry, information.profile).filter(|_| information.outcome.is_some());
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
