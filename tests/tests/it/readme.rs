//! The README works line by line: its walk is run as it stands, against a house of its own.

use std::fs;
use std::process::Command;
use tests::{House, Scratch, binary, root};

#[test]
fn the_walk_with_curl_runs_as_written() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let blocks: Vec<&str> = readme.split("```bash\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(blocks.len() >= 5, "the walk stands in bash blocks");
    let scratch = Scratch::new();
    let data = scratch.join("data");
    let house = House::open(&data);
    let script = format!("set -euo pipefail\n{}", blocks.concat());
    let output = Command::new("bash")
        .arg("-c")
        .arg(script)
        .env("CALLMARKET", binary())
        .env("DATA", &data)
        .env("URL", format!("http://{}/graphql", house.address))
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
    // curl shows what came back; nothing may have been refused on the way.
    assert!(!said.contains("\"errors\""), "{said}");
    assert!(!said.contains("\"userErrors\":[{"), "{said}");
    for outcome in [
        "\"status\":\"BREAK\"",
        "\"attempt\":2",
        "\"amount\":\"5.00\"",
        "\"state\":\"PENDING\"",
        "settlement.pending.v1",
        "\"then\":\"RESERVED\"",
        "\"before\":\"auction.awarded.v1\"",
        "\nok\n",
        "\"kind\":\"RESERVATION_LAPSED\",\"secondAgent\":{\"id\"",
        "\"rule\":\"longest_idle/1\"",
        "\"topic\":\"overdraft\",\"origin\":\"QUESTION\"",
        "\"account\":\"assets:bank:client\",\"balance\":{\"amount\":\"",
        "\"trialBalance\":{\"entries\":\"0\"",
        "number,seq,at,booked_at",
        "\"rule\":\"preferred_agent/1\"",
        "\"barredUntil\":\"",
        "\"barredUntil\":null,\"strikes\":[]",
        "\"unreadNotices\":8",
        "\"unreadNotices\":0",
        "\"unblockAgent\":{\"block\":null",
    ] {
        assert!(said.contains(outcome), "{outcome} is missing in\n{said}");
    }
    assert!(!said.contains("\"before\":\"reservation.opened.v1\""), "a range does not hold its end\n{said}");
}
