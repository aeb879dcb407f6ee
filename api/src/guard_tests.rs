use super::*;
use crate::cost::cost;
use async_graphql::parser::types::OperationType;
use std::fmt::Write;
use std::time::Instant;

fn refusal(query: &str) -> ErrorCode {
    vet(query).map(|_| ()).expect_err("refused").code
}

fn cost_of(query: &str, variables: serde_json::Value) -> Result<u64, ErrorCode> {
    let vetted = vet(query).unwrap();
    let operation = select(&vetted.document, None).unwrap();
    cost(&vetted.document, operation, &Variables::from_json(variables)).map_err(|refused| refused.code)
}

/// The least of a few runs: the other tests share the machine.
fn milliseconds(mut run: impl FnMut()) -> u128 {
    let once = |run: &mut dyn FnMut()| {
        let start = Instant::now();
        run();
        start.elapsed().as_millis()
    };
    (0..5).map(|_| once(&mut run)).min().unwrap()
}

/// `{...f0} fragment f0 on Query {...f1 ...f1} …`: 2^`rungs` fields.
fn bomb(rungs: usize, leaf: &str) -> String {
    let mut query = "{...f0}".to_owned();
    for rung in 0..rungs {
        let next = rung + 1;
        write!(query, " fragment f{rung} on Query{{...f{next} ...f{next}}}").unwrap();
    }
    write!(query, " fragment f{rungs} on Query{{{leaf}}}").unwrap();
    query
}

#[test]
fn fragment_bombs_are_refused_at_once() {
    let hidden = bomb(20, "a").replace("{...f0} ", "{offers(first:0){...f0}} ");
    let unused = bomb(25, "a").replace("{...f0} ", "{a} ");
    for query in [bomb(30, "a"), bomb(20, "a"), bomb(14, "a"), hidden, unused] {
        assert_eq!(refusal(&query), ErrorCode::CostExceeded);
        assert!(milliseconds(|| assert!(vet(&query).is_err())) <= 5);
    }
    assert!(vet(&bomb(10, "a")).is_ok());
    // Deeper than the bound, whatever the number of fields.
    let chain = bomb(40, "a").replace(" ...", " #");
    assert_eq!(refusal(&chain.replace('#', "x")), ErrorCode::CostExceeded);
}

#[test]
fn cycles_are_named() {
    for query in [
        "{...a} fragment a on Query{...a}",
        "{...a} fragment a on Query{x{...b}} fragment b on Query{...a}",
        "{x} fragment a on Query{...on Query{...a}}",
    ] {
        assert_eq!(refusal(query), ErrorCode::ValidationFailed, "{query}");
    }
    // The same fragment twice, one below the other's sibling, is no cycle.
    assert!(vet("{x{...a} ...b} fragment a on Query{y} fragment b on Query{...a x{...a}}").is_ok());
}

#[test]
fn brackets_do_not_reach_the_parser() {
    for bracket in ["{", "[", "(", "{a(b:[", "query($a:["] {
        let query = bracket.repeat(DOCUMENT_BYTES_MAX / bracket.len());
        assert!(milliseconds(|| assert_eq!(refusal(&query), ErrorCode::CostExceeded)) <= 5);
    }
    assert_eq!(refusal(&"{".repeat(1_000_000)), ErrorCode::CostExceeded);
    // Strings do not count, and an unended one hides nothing.
    let quoted = format!("{{a(b:\"{0}\", c:\"\"\"{0} \\\"\"\" {0}\"\"\") # {0}\n}}", "{[(".repeat(50));
    assert!(vet(&quoted).is_ok());
    for hiding in ["\"\"\"abc\"", "\"abc\n", "\"abc\\", "\"\"\"abc\\\"\"\""] {
        assert_eq!(refusal(&format!("{{a(b:{hiding}{}", "{".repeat(10_000))), ErrorCode::ParseFailed, "{hiding}");
    }
}

#[test]
fn nesting_ends_at_the_bound() {
    let nested = |depth: usize| format!("{}a{}", "{a".repeat(depth - 1) + "{", "}".repeat(depth));
    assert!(vet(&nested(DEPTH_MAX)).is_ok());
    assert_eq!(refusal(&nested(DEPTH_MAX + 1)), ErrorCode::CostExceeded);
    let inline = |depth: usize| format!("{{{}a{}}}", "...{".repeat(depth), "}".repeat(depth));
    assert!(vet(&inline(DEPTH_MAX - 1)).is_ok());
    assert_eq!(refusal(&inline(64)), ErrorCode::CostExceeded);
    let value = |depth: usize| format!("{{a(b:{}1{})}}", "[".repeat(depth), "]".repeat(depth));
    assert!(vet(&value(DEPTH_MAX - 2)).is_ok());
    assert_eq!(refusal(&value(DEPTH_MAX - 1)), ErrorCode::CostExceeded);
    // Depth adds up through fragments: 20 sets and 20 more below a spread.
    let half = nested(20);
    let spread = format!("{} fragment f on Query{}", half.replacen('a', "b", 1).replace("{a}", "{...f}"), half);
    assert_eq!(refusal(&spread), ErrorCode::CostExceeded);
}

#[test]
fn a_fragment_met_again_deeper_down_is_measured_there_too() {
    let tall = format!("{}x{}", "{a".repeat(14) + "{", "}".repeat(15));
    let deep = format!("{}...f{}", "{b".repeat(19) + "{", "}".repeat(20));
    let query = format!("query A{{...f}} query B{deep} fragment f on Query{tall}");
    assert_eq!(refusal(&query), ErrorCode::CostExceeded);
}

#[test]
fn counts_end_at_their_bounds() {
    let aliases =
        |count: usize| format!("{{{}}}", (0..count).fold(String::new(), |text, n| text + &format!("a{n}:__typename ")));
    assert!(vet(&aliases(ALIASES_MAX)).is_ok());
    assert_eq!(refusal(&aliases(ALIASES_MAX + 1)), ErrorCode::CostExceeded);
    assert!(milliseconds(|| assert_eq!(refusal(&aliases(4_000)), ErrorCode::CostExceeded)) <= 5);

    let directives = |count: usize| format!("{{a{}}}", " @include(if:true)".repeat(count));
    assert!(vet(&directives(DIRECTIVES_MAX)).is_ok());
    assert_eq!(refusal(&directives(1_000)), ErrorCode::CostExceeded);

    let fields = |count: usize| format!("{{{}}}", "a ".repeat(count));
    assert!(vet(&fields(TOKENS_MAX - 2)).is_ok());
    assert_eq!(refusal(&fields(TOKENS_MAX - 1)), ErrorCode::CostExceeded);

    let padded = |bytes: usize| format!("{{a}}{}", " ".repeat(bytes - 3));
    assert!(vet(&padded(DOCUMENT_BYTES_MAX)).is_ok());
    assert_eq!(refusal(&padded(DOCUMENT_BYTES_MAX + 1)), ErrorCode::CostExceeded);

    let operations = (0..OPERATIONS_MAX + 1).fold(String::new(), |text, n| text + &format!("query q{n}{{a}}"));
    assert_eq!(refusal(&operations), ErrorCode::CostExceeded);
    let variables = (0..VARIABLES_MAX + 1).fold(String::new(), |text, n| text + &format!("$v{n}:Int "));
    assert_eq!(refusal(&format!("query({variables}){{a}}")), ErrorCode::CostExceeded);
}

#[test]
fn introspection_is_for_tools_not_for_bombs() {
    let tool = "{__schema{types{fields{args{type{...T}}} inputFields{type{...T}} possibleTypes{...T}}}} fragment T on __Type{kind ofType{kind ofType{name}}}";
    assert!(vet(tool).is_ok());
    let comb = "{__schema{types{fields{type{fields{type{fields{name}}}}}}}}";
    assert_eq!(refusal(comb), ErrorCode::CostExceeded);
    let split = "{__schema{types{...A}}} fragment A on __Type{fields{type{...B}}} fragment B on __Type{interfaces{possibleTypes{name}}}";
    assert_eq!(refusal(split), ErrorCode::CostExceeded);
}

#[test]
fn lists_multiply_by_the_first_that_will_be_used() {
    let literal = "{offers(first:50){edges{node{id}}}}";
    assert_eq!(cost_of(literal, serde_json::json!({})), Ok(1 + 50 * 3));
    let variable = "query($n:Int!){offers(first:$n){edges{node{id}}}}";
    assert_eq!(cost_of(variable, serde_json::json!({"n": 10})), Ok(1 + 10 * 3));
    assert_eq!(cost_of(variable, serde_json::json!({})), Ok(1 + 100 * 3), "a missing one counts as the most");
    assert_eq!(cost_of("{offers(first:0){edges{cursor}}}", serde_json::json!({})), Ok(3), "zero hides nothing");
    assert_eq!(cost_of("{nodes(ids:[1,2,3]){id}}", serde_json::json!({})), Ok(4));
    assert_eq!(cost_of("query($i:[ID!]!){nodes(ids:$i){id}}", serde_json::json!({"i": ["a", "b"]})), Ok(3));
    let spread = "{a:offers(first:10){...f} b:offers(first:20){...f}} fragment f on OfferConnection{edges{cursor}}";
    assert_eq!(cost_of(spread, serde_json::json!({})), Ok(2 + 10 * 3 + 20 * 3));

    let nested = "query($n:Int!){a(first:$n){a(first:$n){a(first:$n){a(first:$n){id}}}}}";
    assert_eq!(cost_of(nested, serde_json::json!({"n": 100})), Err(ErrorCode::CostExceeded));
    assert!(cost_of(nested, serde_json::json!({"n": 5})).is_ok());
    // 100^31 saturates instead of wrapping.
    let giant = format!("{}a{}", "{a(first:100)".repeat(30) + "{", "}".repeat(31));
    assert_eq!(cost_of(&giant, serde_json::json!({})), Err(ErrorCode::CostExceeded));
}

#[test]
fn a_first_out_of_range_is_refused_wherever_it_comes_from() {
    for literal in ["-1", "101", "2147483647", "99999999999999999999", "1.5", "1e1", "\"10\"", "TEN", "[10]", "true"] {
        assert_eq!(
            cost_of(&format!("{{a(first:{literal}){{b}}}}"), serde_json::json!({})),
            Err(ErrorCode::ValidationFailed),
            "{literal}"
        );
    }
    for value in [
        serde_json::json!(-1),
        serde_json::json!(101),
        serde_json::json!(1.5),
        serde_json::json!("10"),
        serde_json::json!([10]),
    ] {
        let variables = serde_json::json!({ "n": value });
        assert_eq!(cost_of("query($n:Int!){a(first:$n){b}}", variables), Err(ErrorCode::ValidationFailed));
    }
    // The library's number type counts this as a whole number; so does the guard.
    assert_eq!(cost_of("query($n:Int!){a(first:$n){b}}", serde_json::json!({"n": 100})), Ok(101));
    let many: Vec<String> = (0..101).map(|n| n.to_string()).collect();
    assert_eq!(
        cost_of("query($i:[ID!]!){nodes(ids:$i){id}}", serde_json::json!({"i": many})),
        Err(ErrorCode::ValidationFailed)
    );
    assert_eq!(
        cost_of(&format!("{{nodes(ids:[{}]){{id}}}}", many.join(",")), serde_json::json!({})),
        Err(ErrorCode::ValidationFailed)
    );
}

#[test]
fn everyday_documents_pass() {
    let fifty = (0..50).fold(String::new(), |text, n| text + &format!("a{n}:auction(id:\"auc_{n}\"){{bidCount}} "));
    assert_eq!(cost_of(&format!("{{{fifty}}}"), serde_json::json!({})), Ok(100));
    let console = "query($c:Cursor){queues(first:100,after:$c){edges{cursor node{id topic depth inquiries(first:10){edges{node{id state acceptedAt}}}}} pageInfo{hasNextPage endCursor}}}";
    assert!(cost_of(console, serde_json::json!({})).is_ok());
    assert_eq!(cost_of("{__typename}", serde_json::json!({})), Ok(1));
}

#[test]
fn one_money_mutation_an_operation() {
    let bid = |alias: &str| format!("{alias}placeBid(input:$i){{seq}} ");
    assert!(vet(&format!("mutation($i:I!){{{}}}", bid(""))).is_ok());
    assert!(vet(&format!("mutation($i:I!){{{} sendMessage(input:$i){{seq}}}}", bid("a:"))).is_ok());
    assert!(vet(&format!("mutation A($i:I!){{{0}}} mutation B($i:I!){{{0}}}", bid(""))).is_ok(), "one operation runs");
    let fifty = (0..50).fold(String::new(), |text, n| text + &bid(&format!("b{n}:")));
    for body in [
        fifty,
        bid("").repeat(2),
        format!("{} creditWallet(input:$i){{seq}}", bid("")),
        format!("{} ...{{x:withdrawBid(input:$i){{seq}}}}", bid("")),
    ] {
        assert_eq!(refusal(&format!("mutation($i:I!){{{body}}}")), ErrorCode::ValidationFailed, "{body}");
    }
    assert_eq!(
        refusal(&format!("mutation($i:I!){{...f ...f}} fragment f on Mutation{{{}}}", bid(""))),
        ErrorCode::ValidationFailed
    );
    // The names mean nothing in a query.
    assert!(vet("{a:placeBid b:placeBid}").is_ok());
}

#[test]
fn a_subscription_has_one_plain_root_field() {
    assert!(vet("subscription{queueFeed(queueId:\"q\"){kind}}").is_ok());
    for body in [
        "{a b}",
        "{a a}",
        "{...F b} fragment F on Subscription{a}",
        "{...F} fragment F on Subscription{a b}",
        "{...F ...F} fragment F on Subscription{a}",
        "{...on Subscription{a ...{b}}}",
        "{...F} fragment F on Subscription{a ...G} fragment G on Subscription{b}",
        "{...F} fragment F on Subscription{__typename}",
        "{...on Subscription{__schema{types{name}}}}",
        "{...F}",
        "{__typename}",
        "{__schema{types{name}}}",
        "{a @skip(if:false)}",
        "{a @include(if:true)}",
        "{...@skip(if:false){a}}",
        "{...F@include(if:true)} fragment F on Subscription{a}",
        "{...F} fragment F on Subscription{a @skip(if:true)}",
        "{...F} fragment F on Subscription{...@include(if:true){a}}",
        "{...F} fragment F on Subscription @skip(if:true){a}",
    ] {
        assert_eq!(refusal(&format!("subscription{body}")), ErrorCode::ValidationFailed, "{body}");
    }
}

#[test]
fn a_subscription_runs_with_its_field_at_the_root() {
    let root = |query: &str| {
        let vetted = vet(query).unwrap();
        let operation = select(vetted.runnable(), Some("S")).unwrap();
        let [only] = operation.selection_set.node.items.as_slice() else { panic!("{query}") };
        let Selection::Field(field) = &only.node else { panic!("{query}") };
        let alias = field.node.alias.as_ref().map(|alias| alias.node.to_string());
        (alias, field.node.name.node.to_string(), field.node.selection_set.node.items.len())
    };
    let expected = (Some("x".to_owned()), "a".to_owned(), 2);
    for query in [
        "subscription S{x:a{b ...G}} fragment G on A{c}",
        "subscription S{...on Subscription{...{x:a{b ...G}}}} fragment G on A{c}",
        "subscription S{...F} fragment F on Subscription{x:a{b ...G}} fragment G on A{c}",
        "query Q{q} subscription T{t} subscription S{...F} fragment F on Subscription{...on Subscription{x:a{b c}}}",
    ] {
        assert_eq!(root(query), expected, "{query}");
    }
    let vetted = vet("subscription S{...F} fragment F on Subscription{a}").unwrap();
    let written = &select(&vetted.document, None).unwrap().selection_set.node.items[0].node;
    assert!(matches!(written, Selection::FragmentSpread(_)), "validation sees what was written");
}

#[test]
fn one_operation_is_selected() {
    let chosen = |query: &str, name: Option<&str>| {
        let vetted = vet(query).unwrap();
        select(&vetted.document, name).map(|operation| operation.ty).map_err(|refused| refused.code)
    };
    assert_eq!(chosen("{a}", None), Ok(OperationType::Query));
    assert_eq!(chosen("query A{a}", None), Ok(OperationType::Query));
    assert_eq!(chosen("query A{a} mutation B{b}", Some("B")), Ok(OperationType::Mutation));
    for (query, name) in [
        ("{a}", Some("A")),
        ("query A{a}", Some("B")),
        ("query A{a} query B{b}", None),
        ("query A{a} query B{b}", Some("")),
    ] {
        assert_eq!(chosen(query, name), Err(ErrorCode::BadRequest));
    }
}

#[test]
fn what_is_not_graphql_is_refused_in_few_words() {
    for query in [
        "",
        " ",
        "{",
        "{}",
        "}",
        "{a",
        "hello",
        "query{a}}",
        "{a(b:)}",
        "fragment f on Q{a}",
        "{a} {b}",
        "query A{a} query A{b}",
        "type Q{a:Int}",
        "{\u{1F600}}",
        "{a(b:\"\\uD800\")}",
    ] {
        let refused = vet(query).map(|_| ()).unwrap_err();
        assert_eq!(refused.code, ErrorCode::ParseFailed, "{query}");
        assert!(refused.message.len() <= 300, "{}", refused.message);
    }
    let long = format!("{{a(b:\"{}\") !}}", "secret".repeat(5_000));
    assert!(!vet(&long).map(|_| ()).unwrap_err().message.contains("secret"));
}

#[test]
fn variables_are_bounded() {
    let nested = |depth: usize| {
        let text = format!("{{\"v\":{}1{}}}", "[".repeat(depth), "]".repeat(depth));
        check_variables(&serde_json::from_str(&text).unwrap()).map_err(|refused| refused.code)
    };
    assert_eq!(nested(DEPTH_MAX - 1), Ok(()));
    assert_eq!(nested(DEPTH_MAX), Err(ErrorCode::BadRequest));
    assert_eq!(nested(100), Err(ErrorCode::BadRequest));
    let wide =
        |items: usize| check_variables(&Variables::from_json(serde_json::json!({ "v": vec![1; items] }))).is_ok();
    assert!(wide(1_000) && !wide(1_001) && !wide(100_000));
    let many = serde_json::json!({ "v": vec![vec![1; 999]; 11] });
    assert!(check_variables(&Variables::from_json(many)).is_err());
}

#[test]
fn arguments_that_mix_literals_and_variables_are_marked() {
    let mixed = |query: &str| vet(query).unwrap().mixed_arguments;
    assert!(!mixed("query($a:ID!){a(b:$a c:{d:[1]})}"));
    assert!(mixed("query($a:ID!){a(b:{c:[$a]})}"));
    assert!(mixed("query($a:ID!){...f} fragment f on Query{a(b:[$a])}"));
}
