//! The view of the log `community`: providers, offers with the terms of every revision, call servers,
//! how far each call server's acceptances go, and whose offers they were of. What happens to an acceptance is in
//! `market`, and what is known of customers in history.

use super::agent::CustomerBlock;
use super::error::Misfit;
use domain::event::Event;
use domain::event::community::{
    CallServerEvent, CallServerOpened, CallServerUpdated, CreditLimit, CustomerKey, Location, OfferEvent,
    ProviderEvent, ProviderUpdated,
};
use domain::event::customer::CustomerEvent;
use domain::ids::{CallServerId, CustomerId, LinkId, OfferId, ProviderId};
use domain::limits::Used;
use domain::log::{LogName, Seq};
use domain::terms::OfferTerms;
use domain::time::Timestamp;
use domain::topic::Topic;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;
use store::recorded::Recorded;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderRow {
    pub id: ProviderId,
    pub seq: Seq,
    pub name: Arc<str>,
    pub homepage: Option<Arc<str>>,
    /// `scheme://host[:port]`, where its offers may be met.
    pub origins: Arc<[String]>,
    pub credit_limits: Arc<[CreditLimit]>,
    /// With which it proves who its customers are.
    pub customer_keys: Arc<[CustomerKey]>,
    pub suspended: bool,
    pub registered_at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum OfferState {
    Published,
    /// Not accepted until it is resumed.
    Paused,
    Retired,
}

/// An offer at its newest revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferRow {
    pub id: OfferId,
    pub seq: Seq,
    pub provider: ProviderId,
    pub state: OfferState,
    /// 1 for the first.
    pub revision: u32,
    pub terms: Arc<OfferTerms>,
    pub published_at: Timestamp,
    pub retired_at: Option<Timestamp>,
    /// Of its limits.
    pub used: Used,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallServerRow {
    pub id: CallServerId,
    pub seq: Seq,
    /// Names its log too.
    pub name: LogName,
    pub topics: Arc<[Topic]>,
    pub languages: Arc<[String]>,
    pub locations: Arc<[Location]>,
    /// Takes what fits nowhere else.
    pub is_default: bool,
    pub opened_at: Timestamp,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Offer {
    row: OfferRow,
    /// Revision 1 stands at 0.
    revisions: Vec<Arc<OfferTerms>>,
}

#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Community {
    providers: BTreeMap<ProviderId, ProviderRow>,
    offers: BTreeMap<OfferId, Offer>,
    offers_by_provider: BTreeSet<(ProviderId, OfferId)>,
    /// The offer of each link, and the newest revision that has it.
    #[serde(serialize_with = "super::restore::in_order")]
    links: HashMap<LinkId, (OfferId, u32)>,
    call_servers: BTreeMap<LogName, CallServerRow>,
    /// The last acceptance for each call server.
    accepted: BTreeMap<LogName, Seq>,
    /// Where acceptances of each provider's offers have gone.
    met: BTreeSet<(ProviderId, LogName)>,
    /// Since when, the first time.
    erased: BTreeMap<CustomerId, Timestamp>,
    /// Of whom each provider takes no inquiry.
    blocked: BTreeMap<ProviderId, BTreeMap<CustomerId, CustomerBlock>>,
}

impl Community {
    pub(super) fn provider(&self, id: ProviderId) -> Option<&ProviderRow> {
        self.providers.get(&id)
    }
    pub(super) fn providers(&self) -> impl Iterator<Item = &ProviderRow> {
        self.providers.values()
    }
    pub(super) fn offer(&self, id: OfferId) -> Option<&OfferRow> {
        self.offers.get(&id).map(|offer| &offer.row)
    }
    pub(super) fn terms(&self, id: OfferId, revision: u32) -> Option<&Arc<OfferTerms>> {
        let at = usize::try_from(revision).ok()?.checked_sub(1)?;
        self.offers.get(&id)?.revisions.get(at)
    }
    pub(super) fn link(&self, id: LinkId) -> Option<(OfferId, u32)> {
        self.links.get(&id).copied()
    }
    pub(super) fn offers(&self, after: Option<OfferId>) -> impl Iterator<Item = &OfferRow> {
        self.offers.range(super::past(after)).map(|(_, offer)| &offer.row)
    }
    pub(super) fn offers_of(&self, provider: ProviderId, after: Option<OfferId>) -> impl Iterator<Item = &OfferRow> {
        let from = match after {
            Some(after) => Bound::Excluded((provider, after)),
            None => Bound::Included((provider, OfferId(0))),
        };
        let range = self.offers_by_provider.range((from, Bound::Included((provider, OfferId(u128::MAX)))));
        range.filter_map(|(_, id)| self.offer(*id))
    }
    pub(super) fn call_server(&self, name: &LogName) -> Option<&CallServerRow> {
        self.call_servers.get(name)
    }
    /// By name.
    pub(super) fn call_servers(&self) -> impl Iterator<Item = &CallServerRow> {
        self.call_servers.values()
    }

    /// The last acceptance for each call server.
    pub(super) fn accepted(&self) -> impl Iterator<Item = (&LogName, Seq)> {
        self.accepted.iter().map(|(log, seq)| (log, *seq))
    }

    /// Whether an offer of this provider was ever accepted for this call server.
    pub(super) fn has_met(&self, provider: ProviderId, log: &LogName) -> bool {
        self.met.contains(&(provider, log.clone()))
    }

    /// Of whom a provider takes no inquiry, by id.
    pub(super) fn blocked_by(
        &self,
        provider: ProviderId,
        after: Option<CustomerId>,
    ) -> impl Iterator<Item = (CustomerId, CustomerBlock)> {
        let all = self.blocked.get(&provider).into_iter();
        all.flat_map(move |all| all.range(super::past(after))).map(|(customer, block)| (*customer, *block))
    }

    pub(super) fn blocks(&self, provider: ProviderId, customer: CustomerId) -> bool {
        self.blocked.get(&provider).is_some_and(|all| all.contains_key(&customer))
    }

    pub(super) fn erased_at(&self, customer: CustomerId) -> Option<Timestamp> {
        self.erased.get(&customer).copied()
    }
    pub(super) fn erasures(&self) -> usize {
        self.erased.len()
    }
    pub(super) fn erased(&self) -> impl Iterator<Item = CustomerId> {
        self.erased.keys().copied()
    }

    pub(super) fn fold(&mut self, recorded: &Recorded) -> Result<(), Misfit> {
        match &recorded.event {
            Event::Provider(event) => self.on_provider(event, recorded),
            Event::Offer(event) => self.on_offer(event, recorded),
            Event::CallServer(event) => self.on_call_server(event, recorded),
            Event::Customer(CustomerEvent::Erased(e)) => {
                self.erased.entry(e.customer).or_insert(recorded.time);
                for blocked in self.blocked.values_mut() {
                    blocked.remove(&e.customer);
                }
                self.blocked.retain(|_, blocked| !blocked.is_empty());
                Ok(())
            }
            // The call server's own log has these.
            Event::Customer(CustomerEvent::Forgotten(_))
            | Event::Queue(_)
            | Event::Inquiry(_)
            | Event::Auction(_)
            | Event::Agent(_)
            | Event::Wallet(_)
            | Event::Reservation(_)
            | Event::Session(_)
            | Event::Settlement(_)
            | Event::Webhook(_)
            | Event::Journal(_) => Err(Misfit::WrongLog),
        }
    }

    fn on_provider(&mut self, event: &ProviderEvent, recorded: &Recorded) -> Result<(), Misfit> {
        match event {
            ProviderEvent::Registered(e) => {
                let row = ProviderRow {
                    id: e.provider,
                    seq: recorded.seq,
                    name: e.name.as_str().into(),
                    homepage: e.homepage.as_deref().map(Arc::from),
                    origins: e.origins.as_slice().into(),
                    credit_limits: e.credit_limits.as_slice().into(),
                    customer_keys: e.customer_keys.as_slice().into(),
                    suspended: false,
                    registered_at: recorded.time,
                };
                match self.providers.insert(e.provider, row) {
                    None => Ok(()),
                    Some(_) => Err(Misfit::Twice(e.provider.into())),
                }
            }
            ProviderEvent::Updated(e) => self.update_provider(e, recorded),
            // Of one that is set again the first counts.
            ProviderEvent::CustomerBlocked(e) => {
                let block = CustomerBlock { inquiry: e.known_by, since: recorded.time };
                self.blocked.entry(e.provider).or_default().entry(e.customer).or_insert(block);
                Ok(())
            }
            ProviderEvent::CustomerUnblocked(e) => {
                self.blocked.entry(e.provider).or_default().remove(&e.customer);
                self.blocked.retain(|_, blocked| !blocked.is_empty());
                Ok(())
            }
        }
    }

    fn update_provider(&mut self, e: &ProviderUpdated, recorded: &Recorded) -> Result<(), Misfit> {
        let row = self.providers.get_mut(&e.provider).ok_or(Misfit::Unknown(e.provider.into()))?;
        if let Some(limits) = &e.credit_limits {
            row.credit_limits = limits.as_slice().into();
        }
        if let Some(keys) = &e.customer_keys {
            row.customer_keys = keys.as_slice().into();
        }
        row.homepage = e.homepage().map(Arc::from).over(row.homepage.take());
        if let Some(name) = &e.name {
            row.name = name.as_str().into();
        }
        if let Some(origins) = &e.origins {
            row.origins = origins.as_slice().into();
        }
        row.suspended = e.suspended.unwrap_or(row.suspended);
        row.seq = recorded.seq;
        Ok(())
    }

    fn on_offer(&mut self, event: &OfferEvent, recorded: &Recorded) -> Result<(), Misfit> {
        match event {
            OfferEvent::Published(e) => {
                let terms = Arc::new(e.terms.clone());
                let row = OfferRow {
                    id: e.offer,
                    seq: recorded.seq,
                    provider: e.provider,
                    state: OfferState::Published,
                    revision: 1,
                    terms: terms.clone(),
                    published_at: recorded.time,
                    retired_at: None,
                    used: Used::default(),
                };
                self.index_links(&row);
                self.offers_by_provider.insert((e.provider, e.offer));
                match self.offers.insert(e.offer, Offer { row, revisions: vec![terms] }) {
                    None => Ok(()),
                    Some(_) => Err(Misfit::Twice(e.offer.into())),
                }
            }
            OfferEvent::Revised(e) => {
                let offer = self.offers.get_mut(&e.offer).ok_or(Misfit::Unknown(e.offer.into()))?;
                if e.revision == offer.row.revision && e.terms == *offer.row.terms {
                    offer.row.seq = recorded.seq;
                    return Ok(());
                }
                let expected = offer.row.revision + 1;
                if e.revision != expected {
                    return Err(Misfit::Revision { expected });
                }
                let terms = Arc::new(e.terms.clone());
                offer.revisions.push(terms.clone());
                offer.row.revision = e.revision;
                offer.row.terms = terms;
                offer.row.seq = recorded.seq;
                let row = offer.row.clone();
                self.index_links(&row);
                Ok(())
            }
            OfferEvent::Paused(e) => self.set_state(e.offer, OfferState::Paused, recorded),
            OfferEvent::Resumed(e) => self.set_state(e.offer, OfferState::Published, recorded),
            OfferEvent::Retired(e) => {
                let row = &mut self.offers.get_mut(&e.offer).ok_or(Misfit::Unknown(e.offer.into()))?.row;
                row.state = OfferState::Retired;
                row.retired_at = Some(recorded.time);
                row.seq = recorded.seq;
                Ok(())
            }
            OfferEvent::Accepted(e) => {
                self.accepted.insert(e.call_server.clone(), recorded.seq);
                self.met.insert((e.provider, e.call_server.clone()));
                if e.terms.is_limited() {
                    let row = &mut self.offers.get_mut(&e.offer).ok_or(Misfit::Unknown(e.offer.into()))?.row;
                    row.used.take(e.terms.most_it_costs(), recorded.time);
                }
                Ok(())
            }
            OfferEvent::PlaceFreed(e) => {
                let row = &mut self.offers.get_mut(&e.offer).ok_or(Misfit::Unknown(e.offer.into()))?.row;
                row.used.give_back(e.day, e.reserved, e.spent);
                Ok(())
            }
        }
    }

    fn set_state(&mut self, offer: OfferId, state: OfferState, recorded: &Recorded) -> Result<(), Misfit> {
        let row = &mut self.offers.get_mut(&offer).ok_or(Misfit::Unknown(offer.into()))?.row;
        row.state = state;
        row.seq = recorded.seq;
        Ok(())
    }

    fn index_links(&mut self, row: &OfferRow) {
        self.links.extend(row.terms.links.iter().map(|link| (link.id, (row.id, row.revision))));
    }

    fn on_call_server(&mut self, event: &CallServerEvent, recorded: &Recorded) -> Result<(), Misfit> {
        match event {
            CallServerEvent::Opened(e) => self.open_call_server(e, recorded),
            CallServerEvent::Updated(e) => self.update_call_server(e, recorded),
            // The call server's own log has these.
            CallServerEvent::Started(_)
            | CallServerEvent::CreditLimitGranted(_)
            | CallServerEvent::TrafficReported(_)
            | CallServerEvent::TrafficExpired(_) => Err(Misfit::WrongLog),
        }
    }

    fn open_call_server(&mut self, e: &CallServerOpened, recorded: &Recorded) -> Result<(), Misfit> {
        let row = CallServerRow {
            id: e.call_server,
            seq: recorded.seq,
            name: e.name.clone(),
            topics: e.topics.as_slice().into(),
            languages: e.languages.as_slice().into(),
            locations: e.locations.as_slice().into(),
            is_default: self.call_servers.is_empty(),
            opened_at: recorded.time,
        };
        match self.call_servers.insert(e.name.clone(), row) {
            None => Ok(()),
            Some(_) => Err(Misfit::Twice(e.call_server.into())),
        }
    }

    fn update_call_server(&mut self, e: &CallServerUpdated, recorded: &Recorded) -> Result<(), Misfit> {
        if !self.call_servers.contains_key(&e.name) {
            return Err(Misfit::Unknown(e.call_server.into()));
        }
        // There is always one: it is taken over and never given up.
        if e.default == Some(true) {
            for row in self.call_servers.values_mut() {
                row.is_default = row.name == e.name;
            }
        }
        let row = self.call_servers.get_mut(&e.name).ok_or(Misfit::Unknown(e.call_server.into()))?;
        if let Some(languages) = &e.languages {
            row.languages = languages.as_slice().into();
        }
        if let Some(locations) = &e.locations {
            row.locations = locations.as_slice().into();
        }
        if let Some(topics) = &e.topics {
            row.topics = topics.as_slice().into();
        }
        row.seq = recorded.seq;
        Ok(())
    }
}
