//! What the outside asks of the live views. Rows come as copies, so nothing is held while an answer is
//! written. Pages go by id, after the last id of the page before, and never skip or repeat a row that
//! stays.
//!
//! An id is looked for in each call server in turn; with a list over several, each gives a page and the
//! first rows of all are kept.

use super::account::{AccountRow, HeldFor, HoldRow, PayoutRow};
use super::agent::{Agent, AgentRow, AgentStatus, CustomerBlock, Engagement, PendingReservation};
use super::auction::{AuctionRow, BidRow};
use super::community::{CallServerRow, OfferRow, ProviderRow};
use super::dossier::Dossier;
use super::handle::DossierHandle;
use super::inquiry::InquiryRow;
use super::market::{Market, Traffic};
use super::notice::NoticeRow;
use super::queue::{self, Named, QueueRow};
use super::reservation::ReservationRow;
use super::session::SessionRow;
use super::settlement::SettlementRow;
use super::{Live, read};
use domain::event::wallet::Party;
use domain::ids::{
    AccountId, AgentId, AuctionId, BidId, CallServerId, CustomerId, InquiryId, LinkId, NoticeId, OfferId, PayoutId,
    ProviderId, QueueId, ReservationId, SessionId, SettlementId, Subject,
};
use domain::log::{LogName, Seq};
use domain::terms::OfferTerms;
use domain::time::{Span, Timestamp};
use domain::topic::Topic;
use std::sync::Arc;

/// Where an id belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The call server's log.
    pub log: LogName,
    /// Absent for queues, agents and accounts.
    pub inquiry: Option<InquiryId>,
}

/// `community`.
impl Live {
    pub fn provider(&self, id: ProviderId) -> Option<ProviderRow> {
        read(&self.community).view.provider(id).cloned()
    }
    /// All of them: for a start.
    pub fn providers(&self) -> Vec<ProviderRow> {
        read(&self.community).view.providers().cloned().collect()
    }
    /// It was, and has not been reinstated.
    pub fn is_suspended(&self, provider: ProviderId) -> bool {
        read(&self.community).view.provider(provider).is_some_and(|row| row.suspended)
    }
    /// An offer of its was once accepted for this call server.
    pub fn has_met(&self, provider: ProviderId, log: &LogName) -> bool {
        read(&self.community).view.has_met(provider, log)
    }
    /// When this customer was erased, if it was.
    pub fn erased_at(&self, customer: CustomerId) -> Option<Timestamp> {
        read(&self.community).view.erased_at(customer)
    }
    /// Of whom a provider takes no inquiry, by id.
    pub fn blocks_of_provider(
        &self,
        id: ProviderId,
        after: Option<CustomerId>,
        limit: usize,
    ) -> Vec<(CustomerId, CustomerBlock)> {
        read(&self.community).view.blocked_by(id, after).take(limit).collect()
    }
    /// Whether a provider takes no inquiry of a customer.
    pub fn blocks(&self, provider: ProviderId, customer: CustomerId) -> bool {
        read(&self.community).view.blocks(provider, customer)
    }
    /// How many customers were erased.
    pub fn erasures(&self) -> usize {
        read(&self.community).view.erasures()
    }
    /// Every customer that was erased.
    pub fn erased(&self) -> Vec<CustomerId> {
        read(&self.community).view.erased().collect()
    }
    pub fn offer(&self, id: OfferId) -> Option<OfferRow> {
        read(&self.community).view.offer(id).cloned()
    }
    /// The terms of any revision; 1 is the first.
    pub fn offer_terms(&self, id: OfferId, revision: u32) -> Option<Arc<OfferTerms>> {
        read(&self.community).view.terms(id, revision).cloned()
    }
    /// Retired ones included.
    pub fn offers(&self, provider: Option<ProviderId>, after: Option<OfferId>, limit: usize) -> Vec<OfferRow> {
        let community = read(&self.community);
        match provider {
            Some(provider) => community.view.offers_of(provider, after).take(limit).cloned().collect(),
            None => community.view.offers(after).take(limit).cloned().collect(),
        }
    }
    /// The offer that a link belongs to, and the newest revision that has it.
    pub fn link(&self, id: LinkId) -> Option<(OfferId, u32)> {
        read(&self.community).view.link(id)
    }
    /// By name.
    pub fn call_servers(&self) -> Vec<CallServerRow> {
        read(&self.community).view.call_servers().cloned().collect()
    }
    pub fn call_server(&self, name: &LogName) -> Option<CallServerRow> {
        read(&self.community).view.call_server(name).cloned()
    }
    pub fn call_server_by_id(&self, id: CallServerId) -> Option<CallServerRow> {
        read(&self.community).view.call_servers().find(|row| row.id == id).cloned()
    }
}

/// Inquiries and what belongs to them.
impl Live {
    /// The call server and inquiry of an auction, bid, reservation, session, channel, message, record or
    /// settlement in memory; the call server of an inquiry, agent, queue or account.
    pub fn place(&self, subject: impl Into<Subject>) -> Option<Place> {
        let subject = subject.into();
        let markets = read(&self.markets);
        markets.iter().find_map(|(log, market)| {
            let market = read(market);
            let inquiry = market.inquiry_of(subject);
            (inquiry.is_some() || market.has(subject)).then(|| Place { log: log.clone(), inquiry })
        })
    }
    /// Open, or closed lately.
    pub fn dossier(&self, inquiry: InquiryId) -> Option<DossierHandle> {
        self.find(|market| market.dossier(inquiry).cloned())
    }
    /// The dossier that an id of any kind leads to.
    pub fn dossier_of(&self, subject: impl Into<Subject>) -> Option<DossierHandle> {
        let subject = subject.into();
        self.find(|market| market.dossier(market.inquiry_of(subject)?).cloned())
    }
    pub fn inquiry(&self, id: InquiryId) -> Option<InquiryRow> {
        self.in_dossier(id.into(), |dossier| dossier.inquiry().cloned())
    }
    pub fn auction(&self, id: AuctionId) -> Option<AuctionRow> {
        self.in_dossier(id.into(), |dossier| Some(dossier.auction(id)?.row().clone()))
    }
    pub fn bid(&self, id: BidId) -> Option<BidRow> {
        self.in_dossier(id.into(), |dossier| dossier.auction_of(id)?.bid(id).cloned())
    }
    pub fn reservation(&self, id: ReservationId) -> Option<ReservationRow> {
        self.in_dossier(id.into(), |dossier| dossier.reservation(id).cloned())
    }
    pub fn session(&self, id: SessionId) -> Option<SessionRow> {
        self.in_dossier(id.into(), |dossier| Some(dossier.session()?.row().clone()))
    }
    pub fn settlement(&self, id: SettlementId) -> Option<SettlementRow> {
        self.in_dossier(id.into(), |dossier| Some(dossier.settlement()?.row().clone()))
    }
    /// Those that are not closed.
    pub fn inquiries(&self, log: Option<&LogName>, after: Option<InquiryId>, limit: usize) -> Vec<InquiryRow> {
        let open = |dossier: &Dossier| dossier.inquiry().filter(|_| !dossier.is_closed()).cloned();
        let page = |market: &Market| -> Vec<InquiryRow> {
            market.dossiers(after).filter_map(|dossier| dossier.read(open)).take(limit).collect()
        };
        self.page(log, limit, page, |row| row.id)
    }
    /// The open ones.
    pub fn auctions(&self, log: Option<&LogName>, after: Option<AuctionId>, limit: usize) -> Vec<AuctionRow> {
        let row = |market: &Market, id: AuctionId| {
            let dossier = market.dossier(market.inquiry_of(id.into())?)?;
            dossier.read(|dossier| Some(dossier.auction(id)?.row().clone()))
        };
        let page = |market: &Market| -> Vec<AuctionRow> {
            market.auctions(after).filter_map(|id| row(market, id)).take(limit).collect()
        };
        self.page(log, limit, page, |row| row.id)
    }
}

/// Queues.
impl Live {
    /// Open, or retired lately.
    pub fn queue(&self, id: QueueId) -> Option<QueueRow> {
        self.find(|market| market.queues.get(id).cloned())
    }
    /// Open queues by topic and id; with `beneath`, those of that topic and what lies beneath it.
    pub fn queues(
        &self,
        log: Option<&LogName>,
        beneath: Option<&Topic>,
        after: Option<&(Topic, QueueId)>,
        limit: usize,
    ) -> Vec<QueueRow> {
        let page =
            |market: &Market| -> Vec<QueueRow> { market.queues.after(beneath, after).take(limit).cloned().collect() };
        self.page(log, limit, page, |row| (row.topic.clone(), row.id))
    }
    /// Whether an open DECLARED or LINK queue of any call server has exactly this topic.
    pub fn is_published_topic(&self, topic: &Topic) -> bool {
        read(&self.markets).values().any(|market| read(market).queues.is_published(topic))
    }
    /// What operators of any call server made of this name, where a question gave it to a queue.
    pub fn named(&self, topic: &Topic) -> Named {
        let markets = read(&self.markets);
        let made = markets.values().map(|market| read(market).queues.named(topic));
        made.reduce(|one, other| if one == Named::Freely { other } else { one }).unwrap_or(Named::Freely)
    }
    /// Who stands in a queue, in their order. The key of a row is `(stands_at, id)`.
    pub fn queue_inquiries(&self, id: QueueId, after: Option<queue::QueueKey>, limit: usize) -> Vec<InquiryRow> {
        let rows = self.find(|market| {
            market.queues.get(id)?;
            let standing = market.queues.standing_in(id, after).take(limit);
            let dossiers = standing.filter_map(|(_, inquiry)| market.dossier(inquiry));
            Some(dossiers.filter_map(|dossier| dossier.read(|dossier| dossier.inquiry().cloned())).collect())
        });
        rows.unwrap_or_default()
    }
    /// Of a waiting inquiry, 1 for the first, the smallest over its queues. Linear in those queues.
    pub fn position(&self, inquiry: InquiryId) -> Option<usize> {
        self.find(|market| market.queues.position(inquiry))
    }
    /// From how long to how long a waiting inquiry may wait yet, in whole seconds; absent where too few of those who
    /// stood like it were answered. Linear in its queues.
    pub fn estimated_wait(&self, inquiry: InquiryId) -> Option<(Span, Span)> {
        self.find(|market| market.queues.estimate(inquiry))
    }
    /// Inquiries that wait on a call server, each counted once.
    pub fn waiting(&self, log: &LogName) -> usize {
        self.of(log, |market| market.queues.waiting()).unwrap_or(0)
    }
}

/// Agents.
impl Live {
    pub fn agent(&self, id: AgentId) -> Option<AgentRow> {
        self.of_agent(id, |agent| agent.row().clone())
    }
    /// The call server that an agent belongs to.
    pub fn market_of(&self, id: AgentId) -> Option<LogName> {
        let markets = read(&self.markets);
        markets.iter().find_map(|(log, market)| read(market).agents.get(id).map(|_| log.clone()))
    }
    pub fn agents(&self, log: Option<&LogName>, after: Option<AgentId>, limit: usize) -> Vec<AgentRow> {
        let page = |market: &Market| -> Vec<AgentRow> {
            market.agents.after(after).map(|agent| agent.row().clone()).take(limit).collect()
        };
        self.page(log, limit, page, |row| row.id)
    }
    /// Whom a provider blocks on any call server, and since when.
    pub fn agents_blocked_by(
        &self,
        provider: ProviderId,
        after: Option<AgentId>,
        limit: usize,
    ) -> Vec<(AgentId, Timestamp)> {
        let page = |market: &Market| market.agents.blocked_by(provider, after).take(limit).collect();
        self.page(None, limit, page, |(agent, _)| *agent)
    }
    /// Customers whom an agent keeps away from, by id.
    pub fn blocks_of_agent(
        &self,
        id: AgentId,
        after: Option<CustomerId>,
        limit: usize,
    ) -> Vec<(CustomerId, CustomerBlock)> {
        self.of_agent(id, |agent| agent.blocks(after).take(limit).collect()).unwrap_or_default()
    }
    /// Pending reservations, nearest deadline first.
    pub fn agent_pending(&self, id: AgentId) -> Vec<PendingReservation> {
        self.of_agent(id, |agent| agent.pending().to_vec()).unwrap_or_default()
    }
    /// Open sessions, oldest first.
    pub fn agent_sessions(&self, id: AgentId) -> Vec<Engagement> {
        self.of_agent(id, |agent| agent.sessions().to_vec()).unwrap_or_default()
    }
    /// The newest hundred, oldest first.
    pub fn notices(&self, id: AgentId) -> Vec<NoticeRow> {
        self.of_agent(id, |agent| agent.notices().newest().iter().copied().collect()).unwrap_or_default()
    }
    /// The same, and before them the positions of unread ones after `after`, at most `limit`, oldest first.
    pub fn all_notices(&self, id: AgentId, after: Option<Seq>, limit: usize) -> (Vec<Seq>, Vec<NoticeRow>) {
        let all = |agent: &Agent| {
            let older = agent.notices().older(after).take(limit).map(|one| one.seq);
            (older.collect(), agent.notices().newest().iter().copied().collect())
        };
        self.of_agent(id, all).unwrap_or_default()
    }
    pub fn unread_notices(&self, id: AgentId) -> usize {
        self.of_agent(id, |agent| agent.notices().unread()).unwrap_or(0)
    }
    /// Of the event that made one of an agent's notices, where it is kept.
    pub fn notice_position(&self, id: AgentId, notice: NoticeId) -> Option<Seq> {
        self.of_agent(id, |agent| agent.notices().position(notice)).flatten()
    }
    /// Linear in the call server's agents.
    pub fn agents_available(&self, log: &LogName) -> usize {
        let available = |agent: &&Agent| agent.row().status == AgentStatus::Available;
        self.of(log, |market| market.agents.after(None).filter(available).count()).unwrap_or(0)
    }
    /// Open sessions and pending reservations of the agents at a location. Linear in the agents.
    pub fn location_load(&self, log: &LogName, location: &str) -> u32 {
        let at = |market: &Market| {
            let rows = market.agents.after(None).map(Agent::row);
            rows.filter(|row| &*row.location == location).map(|row| row.load).sum()
        };
        self.of(log, at).unwrap_or(0)
    }
}

/// Locations.
impl Live {
    /// The last report, until it expires.
    pub fn location_traffic(&self, log: &LogName, location: &str) -> Option<Traffic> {
        self.of(log, |market| market.traffic.get(location).copied()).flatten()
    }
}

/// Accounts.
impl Live {
    pub fn account(&self, id: AccountId) -> Option<AccountRow> {
        self.find(|market| market.accounts.get(id).map(|account| account.row().clone()))
    }
    /// One that is on its way, and the account that it left.
    pub fn payout(&self, id: PayoutId) -> Option<(AccountRow, PayoutRow)> {
        self.find(|market| {
            let account = market.accounts.of_payout(id)?;
            let payout = account.payouts().iter().find(|payout| payout.id == id)?;
            Some((account.row().clone(), *payout))
        })
    }
    /// Those that are on their way from an account, in the order in which they left.
    pub fn payouts(&self, account: AccountId) -> Vec<PayoutRow> {
        self.find(|market| market.accounts.get(account).map(|account| account.payouts().to_vec())).unwrap_or_default()
    }
    pub fn accounts(
        &self,
        log: Option<&LogName>,
        owner: Option<Party>,
        after: Option<AccountId>,
        limit: usize,
    ) -> Vec<AccountRow> {
        let page = |market: &Market| -> Vec<AccountRow> {
            let Some(owner) = owner else {
                return market.accounts.after(after).take(limit).map(|account| account.row().clone()).collect();
            };
            // An owner has an account in each of a few currencies: all of them, then the page.
            let rows = market.accounts.of(owner).map(|account| account.row().clone());
            rows.filter(|row| after.is_none_or(|after| row.id > after)).collect()
        };
        self.page(log, limit, page, |row| row.id)
    }
    /// What an account holds for an auction.
    pub fn hold(&self, account: AccountId, auction: AuctionId) -> Option<HoldRow> {
        self.find(|market| market.accounts.get(account)?.holds().get(&HeldFor::Auction(auction)).copied())
    }
    /// Auctions first.
    pub fn holds(&self, account: AccountId, after: Option<HeldFor>, limit: usize) -> Vec<HoldRow> {
        let rows = self.find(|market| {
            let holds = market.accounts.get(account)?.holds();
            Some(holds.range(super::past(after)).take(limit).map(|(_, hold)| *hold).collect())
        });
        rows.unwrap_or_default()
    }
}

impl Live {
    fn find<T>(&self, look: impl Fn(&Market) -> Option<T>) -> Option<T> {
        read(&self.markets).values().find_map(|market| look(&read(market)))
    }
    fn of<T>(&self, log: &LogName, look: impl FnOnce(&Market) -> T) -> Option<T> {
        read(&self.markets).get(log).map(|market| look(&read(market)))
    }
    fn of_agent<T>(&self, id: AgentId, look: impl Fn(&Agent) -> T) -> Option<T> {
        self.find(|market| market.agents.get(id).map(&look))
    }
    fn in_dossier<T>(&self, subject: Subject, look: impl FnOnce(&Dossier) -> Option<T>) -> Option<T> {
        self.dossier_of(subject)?.read(look)
    }

    /// The first `limit` rows by `key` of one call server, or of all.
    fn page<T, K: Ord>(
        &self,
        log: Option<&LogName>,
        limit: usize,
        rows: impl Fn(&Market) -> Vec<T>,
        key: impl Fn(&T) -> K,
    ) -> Vec<T> {
        let mut all: Vec<T> = match log {
            Some(log) => self.of(log, rows).unwrap_or_default(),
            None => read(&self.markets).values().flat_map(|market| rows(&read(market))).collect(),
        };
        all.sort_by_key(key);
        all.truncate(limit);
        all
    }
}
