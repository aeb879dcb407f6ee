//! Command → decide → events → apply, for one log.
//!
//! A decision reads the state and returns what happens; it writes nothing. Guards stand in order of
//! precedence: the first that fails is the answer. [`execute`] is what a writer calls: it decides, applies,
//! and adds what follows at once (an agent became free, so an unsold inquiry gets its next round).

use crate::actor::Actor;
use crate::command::Command;
use crate::event::Event;
use crate::ids::IdSource;
use crate::refusal::Refusal;
use crate::state::{State, Timer};
use crate::time::Timestamp;
use crate::{
    agent, auction, block, books, claim, community, conference, customer, fees, inquiry, location, payout, preference,
    queue, reservation, routing, session, settlement, standing, strike, wallet, webhook,
};

/// What a decision knows besides state and command.
#[derive(Clone, Debug)]
pub struct Ctx {
    /// The instant of the decision; the events it makes carry it.
    pub now: Timestamp,
    pub actor: Actor,
    pub ids: IdSource,
}

/// The events of a command, or why it changes nothing. What a person is told is done has an event, which
/// carries its key: only a process manager's repeat is answered with none.
pub fn decide(state: &State, command: &Command, ctx: &Ctx) -> Result<Vec<Event>, Refusal> {
    let (_, roles) = command.rights();
    if !roles.contains(&ctx.actor.role()) {
        return Err(Refusal::Forbidden);
    }
    match command {
        Command::RegisterProvider { name, homepage, origins, credit_limits, customer_keys } => {
            community::register_provider(state, name, homepage, origins, credit_limits, customer_keys, ctx)
        }
        Command::UpdateProvider { provider, name, homepage, origins, suspended, credit_limits, customer_keys } => {
            community::update_provider(
                state,
                *provider,
                name,
                homepage,
                origins,
                *suspended,
                credit_limits,
                customer_keys,
            )
        }
        Command::OpenCallServer { name, topics, languages, locations } => {
            community::open_call_server(state, name, topics, languages, locations, ctx)
        }
        Command::UpdateCallServer { name, default, topics, languages, locations } => {
            community::update_call_server(state, name, *default, topics, languages, locations)
        }
        Command::PublishOffer { provider, terms, links } => {
            community::publish_offer(state, *provider, terms, links, ctx)
        }
        Command::ReviseOffer { offer, expected_revision, change } => {
            community::revise_offer(state, *offer, *expected_revision, change, ctx)
        }
        Command::PauseOffer { offer } => community::pause_offer(state, *offer, ctx),
        Command::ResumeOffer { offer } => community::resume_offer(state, *offer, ctx),
        Command::FreePlace { inquiry, spent, source } => community::free_place(state, *inquiry, *spent, source),
        Command::RetireOffer { offer } => community::retire_offer(state, *offer, ctx),
        Command::EraseCustomer { customer: id, reason } => customer::erase(*id, reason),
        Command::AcceptOffer(acceptance) => community::accept_offer(state, acceptance, ctx),
        Command::StartInquiry(acceptance) => community::start_inquiry(state, acceptance, ctx),
        Command::StartCallServer { call_server, name, locations, source } => {
            community::start_call_server(state, *call_server, name, locations, source)
        }
        Command::GrantCreditLimits { provider, limits, lifted, source } => {
            community::grant_credit_limits(state, *provider, limits, lifted, source, ctx)
        }
        Command::RegisterInquiry { acceptance, accepted_at, source } => {
            inquiry::register(state, acceptance, *accepted_at, source, ctx)
        }
        Command::RecordOfErased => Err(Refusal::CustomerErased),
        Command::ForgetCustomer { customer: id, source } => customer::forget(state, *id, source, ctx),
        Command::ReportPresence { agents, node } => agent::report_presence(state, agents, node),
        Command::RegisterAgent { agent, display_name, location, skills, capacity, affiliated_with, credit_limit } => {
            agent::register(
                state,
                *agent,
                display_name,
                location,
                skills,
                *capacity,
                *affiliated_with,
                *credit_limit,
                ctx,
            )
        }
        Command::UpdateAgent { agent, display_name, location, skills, capacity, affiliated_with, credit_limit } => {
            agent::update(
                state,
                *agent,
                display_name,
                location,
                skills,
                *capacity,
                *affiliated_with,
                *credit_limit,
                ctx,
            )
        }
        Command::SetAgentStatus { agent, will, note } => agent::set_status(state, *agent, *will, note, ctx),
        Command::SetStandingValue { agent, topic, direction, value, valid_until } => {
            agent::set_standing_value(state, *agent, topic, *direction, *value, *valid_until, ctx)
        }
        Command::BlockAgent { agent, provider } => block::block_agent(state, *agent, *provider, ctx),
        Command::UnblockAgent { agent, provider } => block::unblock_agent(state, *agent, *provider, ctx),
        Command::BlockCustomer { owner, customer, inquiry } => {
            block::block_customer(state, *owner, *customer, *inquiry, ctx)
        }
        Command::UnblockCustomer { owner, customer } => block::unblock_customer(state, *owner, *customer, ctx),
        Command::ReadNotices { agent, through } => agent::read_notices(state, *agent, *through, ctx),
        Command::ForgiveStrikes { agent, reason } => strike::forgive(state, *agent, reason, ctx),
        Command::ReportLocationTraffic { location, traffic, valid_for } => {
            location::report(state, location, *traffic, *valid_for, ctx)
        }
        Command::DeclareQueue { priority_credit, topic, required_skills } => {
            queue::declare(state, topic, *priority_credit, required_skills, ctx)
        }
        Command::MergeQueues { from, into } => queue::merge(state, from, *into, ctx),
        Command::RetireQueue { queue } => queue::retire(state, *queue),
        Command::PayOut { owner, amount } => payout::pay(state, *owner, *amount, ctx),
        Command::ReturnPayout { owner, currency, payout, reason } => {
            payout::send_back(state, *owner, *currency, *payout, *reason)
        }
        Command::NetPayable { owner, currency } => payout::net(state, *owner, *currency),
        Command::CreditWallet { owner, amount, reference } => wallet::credit(state, *owner, *amount, reference, ctx),
        Command::WithdrawInquiry { inquiry, reason } => inquiry::withdraw(state, *inquiry, reason, ctx),
        Command::ResumeInquiry { inquiry } => inquiry::resume(state, *inquiry, ctx),
        Command::ClaimInquiry { inquiry } => claim::claim(state, *inquiry, ctx),
        Command::ConfirmTopics { inquiry, topics, known_topics } => {
            inquiry::confirm_topics(state, *inquiry, topics, known_topics, ctx)
        }
        Command::PlaceBid { auction, amount } => auction::place_bid(state, *auction, *amount, ctx),
        Command::WithdrawBid { bid } => auction::withdraw_bid(state, *bid, ctx),
        Command::ViewReservation { reservation } => reservation::view(state, *reservation, ctx),
        Command::AcceptReservation { reservation } => reservation::accept(state, *reservation, ctx),
        Command::DeclineReservation { reservation, reason } => reservation::decline(state, *reservation, reason, ctx),
        Command::SendMessage { session, channel, text } => session::send_message(state, *session, *channel, text, ctx),
        Command::InviteAgent { session, agent } => conference::invite(state, *session, agent, ctx),
        Command::TransferSession { session, to, note } => conference::transfer(state, *session, to, note, ctx),
        Command::RescindReservation { reservation } => conference::take_back(state, *reservation, ctx),
        Command::LeaveSession { session } => conference::leave(state, *session, ctx),
        Command::OpenSideChannel { session, agent, kind } => {
            conference::open_side_channel(state, *session, *agent, *kind, ctx)
        }
        Command::CloseChannel { session, channel } => conference::close_channel(state, *session, *channel, ctx),
        Command::ReportChannel { session, channel, report } => {
            conference::report_channel(state, *session, *channel, *report, ctx)
        }
        Command::EndSession { session } => session::end(state, *session, ctx),
        Command::SaveNotes { session, notes } => session::save_notes(state, *session, notes, ctx),
        Command::ExtendWrapUp { session, by } => session::extend_wrap_up(state, *session, *by, ctx),
        Command::CompleteWrapUp { session, information } => {
            session::complete_wrap_up(state, *session, information, ctx)
        }
        Command::CreateWebhook { webhook: id, provider, url, types, secret } => {
            webhook::create(state, *id, *provider, url, types, secret, ctx)
        }
        Command::RotateWebhookSecret { webhook: id, secret } => webhook::rotate_secret(state, *id, secret, ctx),
        Command::DeleteWebhook { webhook: id } => webhook::delete(state, *id, ctx),
        Command::RedeliverWebhook { webhook: id, delivery } => webhook::redeliver(state, *id, *delivery, ctx),
        Command::PlanDeliveries { webhooks, about, event, source } => {
            webhook::plan(state, webhooks, *about, *event, source, ctx)
        }
        Command::RecordAttempt { webhook: id, delivery, attempt } => {
            webhook::record_attempt(state, *id, *delivery, attempt, ctx)
        }
        Command::RefundSettlement { settlement: id, amount, reason } => {
            settlement::refund(state, *id, *amount, *reason)
        }
        Command::SetFeeRule { commission, tax, tax_rounding, return_window, jurisdiction, valid_from } => fees::set(
            state,
            *commission,
            (*tax, *tax_rounding),
            *return_window,
            jurisdiction.as_deref(),
            *valid_from,
            ctx,
        ),
        Command::TakeFeeRule { rule, source } => fees::take(state, rule, source),
        Command::PostEntry { about, at, legs, source } => books::post(state, *about, *at, legs, source),
    }
}

/// What is due at `ctx.now`, the earliest deadline first: one timer's events. `None`: nothing is due.
/// `late`: the platform was down at the deadline, so nobody may be harmed by it.
pub fn decide_due(state: &State, late: bool, ctx: &Ctx) -> Option<Vec<Event>> {
    let (due, timer) = state.timers.first().copied()?;
    if ctx.now < due {
        return None;
    }
    Some(match timer {
        Timer::TrafficExpires(number) => location::expire(state, number),
        Timer::ValueEnds(id) => agent::end_values(state, id, ctx),
        Timer::BarEnds(id) => strike::end_bar(id),
        Timer::AuctionCloses(id) => auction::close(state, id, late, ctx),
        Timer::ReservationLapses(id) => reservation::lapse(state, id, late, ctx),
        Timer::InquiryBegins(id) => inquiry::begin(state, id, ctx),
        Timer::InquiryExpires(id) => inquiry::expire(state, id),
        Timer::WrapUpEnds(id, agent) => session::end_wrap_up(state, id, agent, ctx),
        Timer::SessionIsIdle(id) | Timer::SessionIsLong(id) => session::end_by_itself(state, id, late, ctx),
        Timer::RoundsGoOn(id) => agent::resume_rounds(id),
        Timer::SettlementMatures(id) => settlement::mature(state, id, ctx),
        Timer::AgentIsAbsent(id) => agent::absent(state, id, late, ctx),
        Timer::MergeGoesOn(id) => queue::go_on(state, id, ctx),
        Timer::ForgetsOn(id) => customer::go_on(state, id, ctx),
        Timer::SelectsAgain(id) => routing::select(state, id, ctx),
        Timer::Relaxes(id) => inquiry::relax(state, id),
        Timer::PreferenceEnds(id) => preference::end(state, id),
        Timer::PlaceIsLost(id) => inquiry::lose_place(state, id, late, ctx),
    })
}

/// What came of a command, in the order of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Decided for who asked. Absent only where a process manager repeats itself.
    pub asked: Vec<Event>,
    /// What the platform does by itself because of it, in the same step: an agent became free, so others'
    /// inquiries get their next round. Nobody asked for that, and nobody is named for it.
    pub followed: Vec<Event>,
}

impl Outcome {
    /// Everything, as the log has it.
    pub fn into_events(mut self) -> Vec<Event> {
        self.asked.extend(self.followed);
        self.asked
    }
}

/// Decides and applies. On a refusal the state is as it was; a batch that the log refuses is taken back
/// with [`State::roll_back`].
pub fn execute(state: &mut State, command: &Command, ctx: &Ctx) -> Result<Outcome, Refusal> {
    let events = decide(state, command, ctx)?;
    Ok(settle(state, events, ctx))
}

/// Decides and applies the earliest timer that is due. All of it is the platform's own doing.
pub fn execute_due(state: &mut State, late: bool, ctx: &Ctx) -> Option<Vec<Event>> {
    let events = decide_due(state, late, ctx)?;
    assert!(!events.is_empty(), "a timer that is due settles something, or it would be due for ever");
    Some(settle(state, events, ctx).into_events())
}

fn settle(state: &mut State, asked: Vec<Event>, ctx: &Ctx) -> Outcome {
    let mut freed = auction::freed_by(state, &asked);
    let avoided: Vec<String> = location::avoided(state, None).into_iter().map(str::to_owned).collect();
    let woken = match state.unassigned.is_empty() {
        true => routing::Woken::default(),
        false => routing::woken_by(state, &asked),
    };
    for event in &asked {
        apply(state, event, ctx.now);
    }
    // Where nobody was selected or awarded anything, everybody may be again.
    freed.extend(location::relieved(state, &avoided));
    let mut followed = standing::bid_at_opening(state, &asked, ctx);
    // Who is given an inquiry is not free to bid for another.
    followed.extend(routing::follow(state, &asked, &freed, &woken, ctx));
    let rounds = match state.waiting.is_empty() {
        true => Vec::new(),
        false => auction::next_rounds(state, &freed, ctx),
    };
    for event in &rounds {
        apply(state, event, ctx.now);
    }
    let bids = standing::bid_at_opening(state, &rounds, ctx);
    followed.extend(rounds);
    followed.extend(bids);
    Outcome { asked, followed }
}

/// What an event does to the state. `at`: the time in its envelope.
pub fn apply(state: &mut State, event: &Event, at: Timestamp) {
    session::forget(state, at);
    match event {
        Event::Provider(event) => community::apply_provider(state, event),
        Event::Offer(event) => community::apply_offer(state, event, at),
        Event::CallServer(event) => community::apply_call_server(state, event),
        Event::Customer(event) => customer::apply(state, event),
        Event::Queue(event) => queue::apply(state, event),
        Event::Inquiry(event) => inquiry::apply(state, event, at),
        Event::Auction(event) => auction::apply(state, event, at),
        Event::Agent(event) => agent::apply(state, event, at),
        Event::Wallet(event) => wallet::apply(state, event),
        Event::Reservation(event) => reservation::apply(state, event, at),
        Event::Session(event) => session::apply(state, event, at),
        Event::Settlement(event) => settlement::apply(state, event),
        Event::Webhook(event) => webhook::apply(state, event),
        Event::Journal(event) => books::apply(state, event),
    }
}
