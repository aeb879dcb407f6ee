//! The schema against the contract, and against its committed text.

use crate::graphql::scalars::Duration;
use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{
    FieldDefinition, InputValueDefinition, ServiceDocument, TypeDefinition, TypeKind, TypeSystemDefinition,
};
use async_graphql::{Name, Positioned, ScalarType, Value};

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// A type's text form in parts that can be looked up: `Type`, `Type.field`, `Type.field(argument)`,
/// `Enum.VALUE`. Parts hold what both sides must say alike, descriptions included.
type Parts = BTreeMap<String, String>;

fn described(description: &Option<Positioned<String>>) -> String {
    description.as_ref().map(|text| text.node.split_whitespace().collect::<Vec<_>>().join(" ")).unwrap_or_default()
}

fn names(of: &[Positioned<Name>]) -> Vec<&str> {
    of.iter().map(|name| name.node.as_str()).collect()
}

fn add_input(parts: &mut Parts, key: String, value: &InputValueDefinition) {
    let mut text = value.ty.node.to_string();
    if let Some(default) = &value.default_value {
        // One duration has several forms: PT60S, PT1M.
        let one_form = |node: &Value| match (value.ty.node.to_string().as_str(), Duration::parse(node.clone())) {
            ("Duration!", Ok(span)) => span.to_value(),
            _ => node.clone(),
        };
        let _ = write!(text, " = {}", one_form(&default.node));
    }
    let _ = write!(text, " \"{}\"", described(&value.description));
    parts.insert(key, text);
}

fn add_fields(parts: &mut Parts, owner: &str, fields: &[Positioned<FieldDefinition>]) {
    for field in fields {
        let field = &field.node;
        let key = format!("{owner}.{}", field.name.node);
        for argument in &field.arguments {
            add_input(parts, format!("{key}({})", argument.node.name.node), &argument.node);
        }
        // Which arguments are required is part of the field: one more would break every caller.
        let arguments: BTreeSet<&str> = field.arguments.iter().map(|each| each.node.name.node.as_str()).collect();
        parts.insert(key, format!("{} {arguments:?} \"{}\"", field.ty.node, described(&field.description)));
    }
}

fn add_type(parts: &mut Parts, definition: &TypeDefinition) {
    let name = definition.name.node.as_str();
    let kind = match &definition.kind {
        TypeKind::Scalar => "scalar".to_owned(),
        TypeKind::Object(object) => {
            add_fields(parts, name, &object.fields);
            format!("type {:?}", names(&object.implements))
        }
        TypeKind::Interface(interface) => {
            add_fields(parts, name, &interface.fields);
            format!("interface {:?}", names(&interface.implements))
        }
        // Members and values may be fewer than the contract's: each is a part of its own.
        TypeKind::Union(union) => {
            for member in &union.members {
                parts.insert(format!("{name}.{}", member.node), String::new());
            }
            "union".to_owned()
        }
        TypeKind::Enum(values) => {
            for value in &values.values {
                parts.insert(format!("{name}.{}", value.node.value.node), described(&value.node.description));
            }
            "enum".to_owned()
        }
        TypeKind::InputObject(input) => {
            for field in &input.fields {
                add_input(parts, format!("{name}.{}", field.node.name.node), &field.node);
            }
            let one_of = definition.directives.iter().any(|directive| directive.node.name.node == "oneOf");
            format!("input oneOf={one_of}")
        }
    };
    parts.insert(name.to_owned(), format!("{kind} \"{}\"", described(&definition.description)));
}

fn parts(document: &ServiceDocument) -> Parts {
    let mut parts = Parts::new();
    for definition in &document.definitions {
        if let TypeSystemDefinition::Type(definition) = definition {
            add_type(&mut parts, &definition.node);
        }
    }
    parts
}

/// Required fields of inputs must all be there: with one missing, an input of the contract would be refused.
fn missing_inputs(ours: &Parts, contract: &Parts) -> Vec<String> {
    let inputs = contract.iter().filter(|(_, text)| text.starts_with("input "));
    let inputs: BTreeSet<&str> =
        inputs.map(|(name, _)| name.as_str()).filter(|name| ours.contains_key(*name)).collect();
    let field_of = |key: &str| key.split_once('.').is_some_and(|(owner, _)| inputs.contains(owner));
    let required =
        |text: &str| text.split_once(' ').is_some_and(|(ty, rest)| ty.ends_with('!') && !rest.starts_with('='));
    let missing = contract.iter().filter(|(key, text)| field_of(key) && required(text) && !ours.contains_key(*key));
    missing.map(|(key, _)| key.clone()).collect()
}

/// `schema.graphql` in the folder that CALLMARKET_SHARED names, or in ../shared. `None`, with a word about it, where
/// that folder is not on this machine; where it is, a missing contract is an error and no skip.
fn contract() -> Option<String> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let shared = std::env::var_os("CALLMARKET_SHARED").map_or_else(beside, PathBuf::from);
    if !shared.exists() {
        println!("skipped: no contract in {}", shared.display());
        return None;
    }
    let path = shared.join("schema.graphql");
    let text =
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("no contract at {}: {error}", path.display()));
    // The parser knows no description of a schema.
    let described = text.trim_start().strip_prefix("\"\"\"").and_then(|rest| rest.split_once("\"\"\""));
    Some(described.map_or(text.clone(), |(_, rest)| rest.to_owned()))
}

/// What the product adds to the contract, and where it says why.
const ADDED: &[(&str, &str)] = &[
    ("AcceptOfferInput.clickProof", "0025-pages-without-javascript.md"),
    ("Block", "0047-blocks.md"),
    ("Block.agent", "0047-blocks.md"),
    ("Block.blockedAt", "0047-blocks.md"),
    ("BlockAgentInput", "0047-blocks.md"),
    ("BlockAgentInput.agentId", "0047-blocks.md"),
    ("BlockAgentInput.idempotencyKey", "0047-blocks.md"),
    ("BlockAgentInput.providerId", "0047-blocks.md"),
    ("BlockConnection", "0047-blocks.md"),
    ("BlockConnection.edges", "0047-blocks.md"),
    ("BlockConnection.pageInfo", "0047-blocks.md"),
    ("BlockEdge", "0047-blocks.md"),
    ("BlockEdge.cursor", "0047-blocks.md"),
    ("BlockEdge.node", "0047-blocks.md"),
    ("BlockPayload", "0047-blocks.md"),
    ("BlockPayload.block", "0047-blocks.md"),
    ("BlockPayload.log", "0047-blocks.md"),
    ("BlockPayload.replayed", "0047-blocks.md"),
    ("BlockPayload.seq", "0047-blocks.md"),
    ("BlockPayload.userErrors", "0047-blocks.md"),
    ("ExclusionReason.BLOCKED", "0047-blocks.md"),
    ("Mutation.blockAgent", "0047-blocks.md"),
    ("Mutation.blockAgent(input)", "0047-blocks.md"),
    ("Mutation.unblockAgent", "0047-blocks.md"),
    ("Mutation.unblockAgent(input)", "0047-blocks.md"),
    ("Provider.blocks", "0047-blocks.md"),
    ("Provider.blocks(first)", "0047-blocks.md"),
    ("Provider.blocks(after)", "0047-blocks.md"),
    ("UnblockAgentInput", "0047-blocks.md"),
    ("UnblockAgentInput.agentId", "0047-blocks.md"),
    ("UnblockAgentInput.idempotencyKey", "0047-blocks.md"),
    ("UnblockAgentInput.providerId", "0047-blocks.md"),
    ("Agent.blocks", "0047-blocks.md"),
    ("Agent.blocks(after)", "0047-blocks.md"),
    ("Agent.blocks(first)", "0047-blocks.md"),
    ("Block.customer", "0047-blocks.md"),
    ("Block.inquiry", "0047-blocks.md"),
    ("BlockCustomerInput", "0047-blocks.md"),
    ("BlockCustomerInput.agentId", "0047-blocks.md"),
    ("BlockCustomerInput.customerId", "0047-blocks.md"),
    ("BlockCustomerInput.idempotencyKey", "0047-blocks.md"),
    ("BlockCustomerInput.inquiryId", "0047-blocks.md"),
    ("BlockCustomerInput.providerId", "0047-blocks.md"),
    ("Mutation.blockCustomer", "0047-blocks.md"),
    ("Mutation.blockCustomer(input)", "0047-blocks.md"),
    ("Mutation.unblockCustomer", "0047-blocks.md"),
    ("Mutation.unblockCustomer(input)", "0047-blocks.md"),
    ("UnblockCustomerInput", "0047-blocks.md"),
    ("UnblockCustomerInput.agentId", "0047-blocks.md"),
    ("UnblockCustomerInput.customerId", "0047-blocks.md"),
    ("UnblockCustomerInput.idempotencyKey", "0047-blocks.md"),
    ("UnblockCustomerInput.inquiryId", "0047-blocks.md"),
    ("UnblockCustomerInput.providerId", "0047-blocks.md"),
    ("Agent.unreadNotices", "0048-notices-kept-until-read.md"),
    ("Agent.barredUntil", "0046-strikes.md"),
    ("Agent.strikes", "0046-strikes.md"),
    ("ForgiveStrikesInput", "0046-strikes.md"),
    ("ForgiveStrikesInput.agentId", "0046-strikes.md"),
    ("ForgiveStrikesInput.idempotencyKey", "0046-strikes.md"),
    ("ForgiveStrikesInput.reason", "0046-strikes.md"),
    ("Mutation.forgiveStrikes", "0046-strikes.md"),
    ("Mutation.forgiveStrikes(input)", "0046-strikes.md"),
    ("NoticeKind.BARRED", "0046-strikes.md"),
    ("NoticeKind.BAR_ENDED", "0046-strikes.md"),
    ("NoticeKind.STRIKES_FORGIVEN", "0046-strikes.md"),
    ("NoticeKind.STRUCK", "0046-strikes.md"),
    ("Strike", "0046-strikes.md"),
    ("Strike.at", "0046-strikes.md"),
    ("Strike.reason", "0046-strikes.md"),
    ("Strike.reservation", "0046-strikes.md"),
    ("Strike.until", "0046-strikes.md"),
    ("StrikeReason", "0046-strikes.md"),
    ("StrikeReason.DECLINED", "0046-strikes.md"),
    ("StrikeReason.LAPSED", "0046-strikes.md"),
    ("UserErrorCode.AGENT_BARRED", "0046-strikes.md"),
    ("BusinessHours", "0040-business-hours.md"),
    ("BusinessHours.closedOn", "0040-business-hours.md"),
    ("BusinessHours.weekly", "0040-business-hours.md"),
    ("BusinessHours.zone", "0040-business-hours.md"),
    ("BusinessHoursInput", "0040-business-hours.md"),
    ("BusinessHoursInput.closedOn", "0040-business-hours.md"),
    ("BusinessHoursInput.weekly", "0040-business-hours.md"),
    ("BusinessHoursInput.zone", "0040-business-hours.md"),
    ("CallServer.default", "0025-pages-without-javascript.md"),
    ("ChannelReport", "0024-conference.md"),
    ("ChannelReport.CONNECTED", "0024-conference.md"),
    ("ChannelReport.ENDED", "0024-conference.md"),
    ("DeclareQueueInput.priorityCredit", "0044-order-of-queues.md"),
    ("ExclusionReason.HELD_FOR_PREFERRED", "0050-preferred-agent.md"),
    ("Inquiry.beginsAt", "0040-business-hours.md"),
    ("Inquiry.preferredAgent", "0050-preferred-agent.md"),
    ("Inquiry.preferredUntil", "0050-preferred-agent.md"),
    ("Inquiry.standsAt", "0044-order-of-queues.md"),
    ("Inquiry.ring", "0045-relaxation.md"),
    ("InquiryRecord.parts", "0024-conference.md"),
    ("Mutation.pauseOffer", "0036-offer-controls.md"),
    ("Mutation.pauseOffer(input)", "0036-offer-controls.md"),
    ("Mutation.readNotices", "0048-notices-kept-until-read.md"),
    ("Mutation.readNotices(input)", "0048-notices-kept-until-read.md"),
    ("Mutation.reportChannel", "0024-conference.md"),
    ("Mutation.reportChannel(input)", "0024-conference.md"),
    ("Mutation.resumeOffer", "0036-offer-controls.md"),
    ("Mutation.resumeOffer(input)", "0036-offer-controls.md"),
    ("Notice.readAt", "0048-notices-kept-until-read.md"),
    ("Offer.dailyBudget", "0036-offer-controls.md"),
    ("Offer.hours", "0040-business-hours.md"),
    ("Offer.maxOpenInquiries", "0036-offer-controls.md"),
    ("Offer.opensAt", "0040-business-hours.md"),
    ("Offer.preferLastAgentFor", "0050-preferred-agent.md"),
    ("Offer.priority", "0044-order-of-queues.md"),
    ("Offer.relaxation", "0045-relaxation.md"),
    ("OfferState.PAUSED", "0036-offer-controls.md"),
    ("PauseOfferInput", "0036-offer-controls.md"),
    ("PauseOfferInput.idempotencyKey", "0036-offer-controls.md"),
    ("PauseOfferInput.offerId", "0036-offer-controls.md"),
    ("Provider.customerKeys", "0043-customer-proofs.md"),
    ("PublishOfferInput.dailyBudget", "0036-offer-controls.md"),
    ("PublishOfferInput.hours", "0040-business-hours.md"),
    ("PublishOfferInput.maxOpenInquiries", "0036-offer-controls.md"),
    ("PublishOfferInput.preferLastAgentFor", "0050-preferred-agent.md"),
    ("PublishOfferInput.priority", "0044-order-of-queues.md"),
    ("PublishOfferInput.relaxation", "0045-relaxation.md"),
    ("Queue.priorityCredit", "0044-order-of-queues.md"),
    ("ReadNoticesInput", "0048-notices-kept-until-read.md"),
    ("ReadNoticesInput.idempotencyKey", "0048-notices-kept-until-read.md"),
    ("ReadNoticesInput.noticeId", "0048-notices-kept-until-read.md"),
    ("RegisterProviderInput.customerKeys", "0043-customer-proofs.md"),
    ("RelaxationRing", "0045-relaxation.md"),
    ("RelaxationRing.after", "0045-relaxation.md"),
    ("RelaxationRing.anyTopic", "0045-relaxation.md"),
    ("RelaxationRing.lowerLevels", "0045-relaxation.md"),
    ("RelaxationRingInput", "0045-relaxation.md"),
    ("RelaxationRingInput.after", "0045-relaxation.md"),
    ("RelaxationRingInput.anyTopic", "0045-relaxation.md"),
    ("RelaxationRingInput.lowerLevels", "0045-relaxation.md"),
    ("ReportChannelInput", "0024-conference.md"),
    ("ReportChannelInput.channelId", "0024-conference.md"),
    ("ReportChannelInput.idempotencyKey", "0024-conference.md"),
    ("ReportChannelInput.report", "0024-conference.md"),
    ("Reservation.note", "0024-conference.md"),
    ("ResumeOfferInput", "0036-offer-controls.md"),
    ("ResumeOfferInput.idempotencyKey", "0036-offer-controls.md"),
    ("ResumeOfferInput.offerId", "0036-offer-controls.md"),
    ("ReviseOfferInput.dailyBudget", "0036-offer-controls.md"),
    ("ReviseOfferInput.hours", "0040-business-hours.md"),
    ("ReviseOfferInput.maxOpenInquiries", "0036-offer-controls.md"),
    ("ReviseOfferInput.preferLastAgentFor", "0050-preferred-agent.md"),
    ("ReviseOfferInput.priority", "0044-order-of-queues.md"),
    ("ReviseOfferInput.relaxation", "0045-relaxation.md"),
    ("Session.endsAt", "0024-conference.md"),
    ("UpdateProviderInput.customerKeys", "0043-customer-proofs.md"),
    ("UserErrorCode.OFFER_PAUSED", "0036-offer-controls.md"),
    ("Weekday", "0040-business-hours.md"),
    ("Weekday.FRIDAY", "0040-business-hours.md"),
    ("Weekday.MONDAY", "0040-business-hours.md"),
    ("Weekday.SATURDAY", "0040-business-hours.md"),
    ("Weekday.SUNDAY", "0040-business-hours.md"),
    ("Weekday.THURSDAY", "0040-business-hours.md"),
    ("Weekday.TUESDAY", "0040-business-hours.md"),
    ("Weekday.WEDNESDAY", "0040-business-hours.md"),
    ("WeeklyHours", "0040-business-hours.md"),
    ("WeeklyHours.days", "0040-business-hours.md"),
    ("WeeklyHours.from", "0040-business-hours.md"),
    ("WeeklyHours.to", "0040-business-hours.md"),
    ("WeeklyHoursInput", "0040-business-hours.md"),
    ("WeeklyHoursInput.days", "0040-business-hours.md"),
    ("WeeklyHoursInput.from", "0040-business-hours.md"),
    ("WeeklyHoursInput.to", "0040-business-hours.md"),
    ("JournalConnection", "0049-books.md"),
    ("JournalConnection.edges", "0049-books.md"),
    ("JournalConnection.pageInfo", "0049-books.md"),
    ("JournalEdge", "0049-books.md"),
    ("JournalEdge.cursor", "0049-books.md"),
    ("JournalEdge.node", "0049-books.md"),
    ("JournalEntry", "0049-books.md"),
    ("JournalEntry.about", "0049-books.md"),
    ("JournalEntry.at", "0049-books.md"),
    ("JournalEntry.bookedAt", "0049-books.md"),
    ("JournalEntry.number", "0049-books.md"),
    ("JournalEntry.postings", "0049-books.md"),
    ("JournalEntry.seq", "0049-books.md"),
    ("JournalEntry.source", "0049-books.md"),
    ("JournalFilter", "0049-books.md"),
    ("JournalFilter.account", "0049-books.md"),
    ("JournalFilter.from", "0049-books.md"),
    ("JournalFilter.to", "0049-books.md"),
    ("JournalSource", "0049-books.md"),
    ("JournalSource.hash", "0049-books.md"),
    ("JournalSource.log", "0049-books.md"),
    ("JournalSource.seq", "0049-books.md"),
    ("Query.journal", "0049-books.md"),
    ("Query.journal(after)", "0049-books.md"),
    ("Query.journal(filter)", "0049-books.md"),
    ("Query.journal(first)", "0049-books.md"),
    ("Query.trialBalance", "0049-books.md"),
    ("Query.trialBalance(until)", "0049-books.md"),
    ("Snapshot.journal", "0049-books.md"),
    ("Snapshot.journal(after)", "0049-books.md"),
    ("Snapshot.journal(filter)", "0049-books.md"),
    ("Snapshot.journal(first)", "0049-books.md"),
    ("Snapshot.trialBalance", "0049-books.md"),
    ("Snapshot.trialBalance(until)", "0049-books.md"),
    ("TrialBalance", "0049-books.md"),
    ("TrialBalance.entries", "0049-books.md"),
    ("TrialBalance.lines", "0049-books.md"),
    ("TrialBalance.lines(after)", "0049-books.md"),
    ("TrialBalance.lines(first)", "0049-books.md"),
    ("TrialBalance.seq", "0049-books.md"),
    ("TrialBalance.sha256", "0049-books.md"),
    ("TrialBalance.totals", "0049-books.md"),
    ("TrialBalanceLine", "0049-books.md"),
    ("TrialBalanceLine.account", "0049-books.md"),
    ("TrialBalanceLine.balance", "0049-books.md"),
    ("TrialBalanceLineConnection", "0049-books.md"),
    ("TrialBalanceLineConnection.edges", "0049-books.md"),
    ("TrialBalanceLineConnection.pageInfo", "0049-books.md"),
    ("TrialBalanceLineEdge", "0049-books.md"),
    ("TrialBalanceLineEdge.cursor", "0049-books.md"),
    ("TrialBalanceLineEdge.node", "0049-books.md"),
    ("TrialBalanceTotal", "0049-books.md"),
    ("TrialBalanceTotal.credit", "0049-books.md"),
    ("TrialBalanceTotal.debit", "0049-books.md"),
    ("FeeRule", "0051-fees-and-refunds.md"),
    ("FeeRule.commission", "0051-fees-and-refunds.md"),
    ("FeeRule.id", "0051-fees-and-refunds.md"),
    ("FeeRule.jurisdiction", "0051-fees-and-refunds.md"),
    ("FeeRule.number", "0051-fees-and-refunds.md"),
    ("FeeRule.returnWindow", "0051-fees-and-refunds.md"),
    ("FeeRule.setAt", "0051-fees-and-refunds.md"),
    ("FeeRule.tax", "0051-fees-and-refunds.md"),
    ("FeeRule.taxRounding", "0051-fees-and-refunds.md"),
    ("FeeRule.validFrom", "0051-fees-and-refunds.md"),
    ("FeeRuleConnection", "0051-fees-and-refunds.md"),
    ("FeeRuleConnection.edges", "0051-fees-and-refunds.md"),
    ("FeeRuleConnection.pageInfo", "0051-fees-and-refunds.md"),
    ("FeeRuleEdge", "0051-fees-and-refunds.md"),
    ("FeeRuleEdge.cursor", "0051-fees-and-refunds.md"),
    ("FeeRuleEdge.node", "0051-fees-and-refunds.md"),
    ("FeeRulePayload", "0051-fees-and-refunds.md"),
    ("FeeRulePayload.feeRule", "0051-fees-and-refunds.md"),
    ("FeeRulePayload.log", "0051-fees-and-refunds.md"),
    ("FeeRulePayload.replayed", "0051-fees-and-refunds.md"),
    ("FeeRulePayload.seq", "0051-fees-and-refunds.md"),
    ("FeeRulePayload.userErrors", "0051-fees-and-refunds.md"),
    ("Mutation.refundSettlement", "0051-fees-and-refunds.md"),
    ("Mutation.refundSettlement(input)", "0051-fees-and-refunds.md"),
    ("Mutation.setFeeRule", "0051-fees-and-refunds.md"),
    ("Mutation.setFeeRule(input)", "0051-fees-and-refunds.md"),
    ("Query.feeRules", "0051-fees-and-refunds.md"),
    ("Query.feeRules(after)", "0051-fees-and-refunds.md"),
    ("Query.feeRules(first)", "0051-fees-and-refunds.md"),
    ("RefundReason", "0051-fees-and-refunds.md"),
    ("RefundReason.DUPLICATE", "0051-fees-and-refunds.md"),
    ("RefundReason.GOODWILL", "0051-fees-and-refunds.md"),
    ("RefundReason.NO_SHOW", "0051-fees-and-refunds.md"),
    ("RefundReason.POOR_QUALITY", "0051-fees-and-refunds.md"),
    ("RefundReason.WRONG_TOPIC", "0051-fees-and-refunds.md"),
    ("RefundSettlementInput", "0051-fees-and-refunds.md"),
    ("RefundSettlementInput.amount", "0051-fees-and-refunds.md"),
    ("RefundSettlementInput.idempotencyKey", "0051-fees-and-refunds.md"),
    ("RefundSettlementInput.reason", "0051-fees-and-refunds.md"),
    ("RefundSettlementInput.settlementId", "0051-fees-and-refunds.md"),
    ("Rounding", "0051-fees-and-refunds.md"),
    ("Rounding.HALF_EVEN", "0051-fees-and-refunds.md"),
    ("Rounding.HALF_UP", "0051-fees-and-refunds.md"),
    ("SetFeeRuleInput", "0051-fees-and-refunds.md"),
    ("SetFeeRuleInput.commission", "0051-fees-and-refunds.md"),
    ("SetFeeRuleInput.idempotencyKey", "0051-fees-and-refunds.md"),
    ("SetFeeRuleInput.jurisdiction", "0051-fees-and-refunds.md"),
    ("SetFeeRuleInput.returnWindow", "0051-fees-and-refunds.md"),
    ("SetFeeRuleInput.tax", "0051-fees-and-refunds.md"),
    ("SetFeeRuleInput.taxRounding", "0051-fees-and-refunds.md"),
    ("SetFeeRuleInput.validFrom", "0051-fees-and-refunds.md"),
    ("Settlement.left", "0051-fees-and-refunds.md"),
    ("SettlementPayload", "0051-fees-and-refunds.md"),
    ("SettlementPayload.log", "0051-fees-and-refunds.md"),
    ("SettlementPayload.replayed", "0051-fees-and-refunds.md"),
    ("SettlementPayload.seq", "0051-fees-and-refunds.md"),
    ("SettlementPayload.settlement", "0051-fees-and-refunds.md"),
    ("SettlementPayload.userErrors", "0051-fees-and-refunds.md"),
    ("Account.payable", "0052-payouts.md"),
    ("Account.payouts", "0052-payouts.md"),
    ("Account.payouts(after)", "0052-payouts.md"),
    ("Account.payouts(first)", "0052-payouts.md"),
    ("Mutation.netPayable", "0052-payouts.md"),
    ("Mutation.netPayable(input)", "0052-payouts.md"),
    ("Mutation.payOut", "0052-payouts.md"),
    ("Mutation.payOut(input)", "0052-payouts.md"),
    ("Mutation.returnPayout", "0052-payouts.md"),
    ("Mutation.returnPayout(input)", "0052-payouts.md"),
    ("NetPayableInput", "0052-payouts.md"),
    ("NetPayableInput.accountId", "0052-payouts.md"),
    ("NetPayableInput.idempotencyKey", "0052-payouts.md"),
    ("PayOutInput", "0052-payouts.md"),
    ("PayOutInput.accountId", "0052-payouts.md"),
    ("PayOutInput.amount", "0052-payouts.md"),
    ("PayOutInput.idempotencyKey", "0052-payouts.md"),
    ("Payout", "0052-payouts.md"),
    ("Payout.account", "0052-payouts.md"),
    ("Payout.amount", "0052-payouts.md"),
    ("Payout.at", "0052-payouts.md"),
    ("Payout.id", "0052-payouts.md"),
    ("Payout.reference", "0052-payouts.md"),
    ("PayoutConnection", "0052-payouts.md"),
    ("PayoutConnection.edges", "0052-payouts.md"),
    ("PayoutConnection.pageInfo", "0052-payouts.md"),
    ("PayoutEdge", "0052-payouts.md"),
    ("PayoutEdge.cursor", "0052-payouts.md"),
    ("PayoutEdge.node", "0052-payouts.md"),
    ("PayoutPayload", "0052-payouts.md"),
    ("PayoutPayload.account", "0052-payouts.md"),
    ("PayoutPayload.log", "0052-payouts.md"),
    ("PayoutPayload.payout", "0052-payouts.md"),
    ("PayoutPayload.replayed", "0052-payouts.md"),
    ("PayoutPayload.seq", "0052-payouts.md"),
    ("PayoutPayload.userErrors", "0052-payouts.md"),
    ("ReturnPayoutInput", "0052-payouts.md"),
    ("ReturnPayoutInput.accountId", "0052-payouts.md"),
    ("ReturnPayoutInput.idempotencyKey", "0052-payouts.md"),
    ("ReturnPayoutInput.payoutId", "0052-payouts.md"),
    ("ReturnPayoutInput.reason", "0052-payouts.md"),
];

#[test]
fn what_the_product_adds_to_the_contract_is_there_and_argued_for() {
    let ours = parts(&parse_schema(super::sdl()).unwrap());
    for (added, record) in ADDED {
        assert!(ours.contains_key(*added), "{added} is not in the schema any more");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/adr").join(record);
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(text.contains(added.split('.').next_back().unwrap()), "{record} says nothing of {added}");
    }
}

#[test]
fn whatever_the_schema_has_is_as_the_contract_has_it() {
    let Some(contract) = contract() else { return };
    let contract = parts(&parse_schema(contract).expect("the contract is a schema"));
    let ours = parts(&parse_schema(super::sdl()).unwrap());
    let mut wrong = Vec::new();
    for (key, text) in &ours {
        match contract.get(key) {
            None if ADDED.iter().any(|(added, _)| added == key) => {}
            None => wrong.push(format!("{key} is not in the contract")),
            Some(theirs) if theirs != text => wrong.push(format!("{key}\n  is    {text}\n  needs {theirs}")),
            Some(_) => {}
        }
    }
    wrong.extend(missing_inputs(&ours, &contract).into_iter().map(|key| format!("{key} is missing")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Mutations that an operation may have many of, with what keeps money out of them. The simulation says so too: it
/// fails where the events of any other mutation than the listed ones held, released, escrowed or posted money.
const MOVE_NO_MONEY: &[(&str, &[&str])] = &[
    (
        "they say who and what there is; a limit binds nothing",
        &[
            "registerProvider",
            "updateProvider",
            "openCallServer",
            "updateCallServer",
            "registerAgent",
            "updateAgent",
            "declareQueue",
            "mergeQueues",
            "retireQueue",
            "publishOffer",
            "reviseOffer",
            "pauseOffer",
            "resumeOffer",
            "retireOffer",
        ],
    ),
    ("a reservation that stands is answered by itself", &["setAgentStatus", "blockAgent", "blockCustomer"]),
    (
        "what is given out because of it follows by itself",
        &["reportLocationTraffic", "unblockAgent", "unblockCustomer", "forgiveStrikes"],
    ),
    ("what ends because of it ends in another log", &["eraseCustomer"]),
    ("it splits what is consented to afterwards", &["setFeeRule"]),
    ("an auction opens, and nobody has bid", &["acceptOffer", "startInquiry"]),
    ("what is read was said before", &["readNotices"]),
    ("they say who is told", &["createWebhook", "rotateWebhookSecret", "deleteWebhook", "redeliverWebhook"]),
    (
        "what was agreed at consent stays",
        &[
            "viewReservation",
            "sendMessage",
            "saveNotes",
            "extendWrapUp",
            "confirmTopics",
            "inviteAgent",
            "rescindReservation",
            "openSideChannel",
            "closeChannel",
            "transferSession",
            "leaveSession",
        ],
    ),
];

#[test]
fn every_mutation_is_one_that_moves_money_or_one_that_does_not() {
    let mutations = |parts: &Parts| -> BTreeSet<String> {
        let fields = parts.keys().filter_map(|key| key.strip_prefix("Mutation."));
        fields.filter(|field| !field.contains('(')).map(str::to_owned).collect()
    };
    let ours = mutations(&parts(&parse_schema(super::sdl()).unwrap()));
    assert!(ours.contains("placeBid"), "{ours:?}");
    let money = crate::guard::MONEY_MUTATIONS;
    let none: Vec<&str> = MOVE_NO_MONEY.iter().flat_map(|(_, names)| names.iter().copied()).collect();
    for mutation in &ours {
        let listed = (money.contains(&mutation.as_str()), none.contains(&mutation.as_str()));
        assert!(listed.0 != listed.1, "{mutation}: moves money and does not, as the lists say: {listed:?}");
    }
    let gone: Vec<&&str> = none.iter().filter(|name| !ours.contains(**name)).collect();
    assert!(gone.is_empty(), "no mutations of ours: {gone:?}");
    // Some of those that move money are not there yet; their names are the contract's.
    if let Some(contract) = contract() {
        let contract = mutations(&parts(&parse_schema(contract).expect("the contract is a schema")));
        let added = |name: &str| ADDED.iter().any(|(added, _)| added.strip_prefix("Mutation.") == Some(name));
        let unknown: Vec<&str> = money.into_iter().filter(|name| !contract.contains(*name) && !added(name)).collect();
        assert!(unknown.is_empty(), "no mutations of the contract: {unknown:?}");
    }
}

#[test]
fn the_committed_schema_is_the_schema() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema.graphql");
    let now = super::sdl();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == now, "api/schema.graphql is not the schema any more; UPDATE=1 writes it anew");
}
