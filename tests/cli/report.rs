//! Pages for people: a wallet, and all of them.

use std::fs;

use crate::purser::{Place, usage, wallet_command};

/// What a page may not have: a script, or a thing from elsewhere.
const FOREIGN: [&str; 6] = ["<script", "src=", "href=", "url(", "http", "@import"];

fn place() -> Place {
    let place = Place::new();
    let gift = r#"{"credits":"50","basis":"promotional"}"#;
    let mut lines = vec![wallet_command(
        "<b&co",
        "03-05T09:00:00Z",
        "opened",
        r#"{"plan":"starter"}"#,
    )];
    // 90 credits of 100, then 50 more, then 80 of which 20 are overage.
    for (id, hour, documents) in [("a", "10", 180), ("b", "12", 160)] {
        let event = usage(id, "<b&co", &format!("06T{hour}:00:00Z"));
        lines.push(event.replace("\"documents\":2", &format!("\"documents\":{documents}")));
    }
    lines.insert(
        2,
        wallet_command("<b&co", "03-06T11:00:00Z", "granted", gift),
    );
    lines.push(usage("c", "birch", "07T10:00:00Z"));
    place.write("events.ndjson", lines.join("\n") + "\n");
    place.replay("events.ndjson");
    place
}

#[test]
fn a_wallets_page_has_its_numbers_and_needs_nothing_from_elsewhere() {
    let place = place();
    let page = place.done(&["report", "--customer", "<b&co"]);
    for part in [
        "<h1>&lt;b&amp;co ",
        "Plan Starter, period 2026-03-05 up to, not including, 2026-04-05",
        "<b>100 %</b>",
        "<b>150</b><div class=\"dim\">used, net of reversals; the pool is 100",
        "<b>20</b><div class=\"dim\">of overage at 0.12 USD",
        // The promotion lifts what there is to use to 150.
        "<span style=\"top:0\">150</span>",
        "340 document",
        ">used 50<",
        ">overage<",
        "title=\"2026-03-06: document analysed 170\"",
        "a day, by the last 2 days",
        "<th scope=\"col\" class=\"words\">Alert</th>",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    // Of 100 credits 10 are left, 60 with the promotion, then none: 34, 35 and 36 hours of 744.
    let balance = "M120 3334H120V3334H456V9334H470V6000H483V10000H779";
    let balance = format!("<path class=\"balance\" d=\"{balance}\">");
    assert!(page.contains(&balance), "{page}");
    for foreign in FOREIGN {
        assert!(!page.contains(foreign), "{foreign}: {page}");
    }
    let ran = place.run(&["report", "--customer", "nobody"]);
    assert_eq!((ran.code, &*ran.out), (1, ""));
    assert!(ran.err.contains("`nobody` has no wallet"), "{ran:?}");
}

#[test]
fn the_page_of_all_shows_those_with_the_most_used_first() {
    let place = place();
    place.done(&["report", "--all", "--out", "all.html"]);
    let page = fs::read_to_string(place.path("all.html")).expect("a page");
    let wallets = page.split_once("<h2>Wallets</h2>").expect("a list").1;
    let at = |customer: &str| wallets.find(&format!("<td>{customer}</td>"));
    let (first, second) = (at("&lt;b&amp;co"), at("birch"));
    assert!(first.is_some() && first < second, "{page}");
    assert!(
        page.contains("<b>2</b><div class=\"dim\">wallets"),
        "{page}"
    );
    assert!(
        page.contains("<b>99</b><div class=\"dim\">credits left in all"),
        "{page}"
    );
    for foreign in FOREIGN {
        assert!(!page.contains(foreign), "{foreign}: {page}");
    }
    // As it stood before birch came.
    let before = place.done(&["report", "--all", "--as-of", "2026-03-06T23:00:00Z"]);
    assert!(
        before.contains("<b>1</b><div class=\"dim\">wallets"),
        "{before}"
    );
}

#[test]
fn grants_stand_in_the_order_in_which_they_pay_also_when_the_wallet_is_closed() {
    let place = Place::new();
    let granted = |day: &str, basis: &str, more: &str| {
        let data = format!(r#"{{"credits":"5","basis":"{basis}"{more}}}"#);
        wallet_command("acme", &format!("03-{day}T09:00:00Z"), "granted", &data)
    };
    let lines = [
        wallet_command("acme", "03-05T09:00:00Z", "opened", r#"{"plan":"starter"}"#),
        granted("06", "promotional", ""),
        granted("07", "purchased", r#","expires_at":"2026-04-01T00:00:00Z""#),
        granted(
            "08",
            "promotional",
            r#","expires_at":"2026-03-20T00:00:00Z""#,
        ),
        granted("09", "purchased", r#","priority":1"#),
        wallet_command("acme", "03-10T09:00:00Z", "closed", "{}"),
    ];
    place.write("events.ndjson", lines.join("\n") + "\n");
    place.replay("events.ndjson");
    let page = place.done(&["report", "--customer", "acme"]);
    let grants = page.split_once("Credits by grant").expect("a list").1;
    let untils = grants.split("data-label=\"Until\">").skip(1);
    let untils: Vec<&str> = untils
        .map(|rest| rest.split_once("</td>").expect("a cell").0)
        .collect();
    // By priority: the one that has it, the promotions, the pool (until the grace is over), the
    // purchase; of one priority that which expires first.
    let expected = [
        "used",
        "2026-03-20 00:00 UTC",
        "used",
        "2026-03-11 09:00 UTC",
        "2026-04-01 00:00 UTC",
    ];
    assert_eq!(untils, expected, "{page}");
    assert!(page.contains("the wallet is closed"), "{page}");
    assert!(!page.contains("does not run out"), "{page}");
}

#[test]
fn a_report_of_nothing_says_so() {
    let place = Place::new();
    place.write("events.ndjson", "broken\n");
    place.replay("events.ndjson");
    let ran = place.run(&["report", "--all"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("there is no wallet yet"), "{ran:?}");
}
