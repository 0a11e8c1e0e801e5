//! What a command must say.

use super::{PRICES, prices, story};
use crate::domain::command::BadCommand;
use crate::domain::engine::tests::Run;
use crate::domain::engine::tests::line::Script;

/// Each line is the `data` of a command of type `verb`, and what became of it.
fn check(verb: &str, cases: &str) {
    for case in cases.lines().filter(|case| !case.trim().is_empty()) {
        let (data, expected) = case.split_once("->").unwrap();
        let opened = if verb == "grant" {
            "10-01 00:00 acme open o plan=small\n"
        } else {
            ""
        };
        let text = format!("{opened}10-01 00:00 acme {verb} c1 {}", data.trim());
        let script = Script::read(&text);
        let mut run = Run::new(script.shard, prices::book(PRICES));
        for (seq, lines) in script.messages().iter().enumerate() {
            run.message(seq, lines);
        }
        let row = run.rows.0.last().unwrap();
        let refused = run.engine.bad_commands.first();
        let became = match refused {
            Some(refused) => format!("{}: {}", row.reason.unwrap(), lack(&refused.fault)),
            None => format!(
                "{} {}",
                row.kind.name(),
                row.delta.map_or(String::new(), |d| d.to_string())
            ),
        };
        assert_eq!(became.trim(), expected.trim(), "{data}");
    }
}

/// What a refused command lacks, in a word or two.
fn lack(fault: &BadCommand) -> String {
    match fault {
        BadCommand::Missing(member) => format!("no {member}"),
        BadCommand::Wrong { member, .. } => (*member).to_owned(),
        BadCommand::UnknownPlan(_) => "unknown plan".to_owned(),
        BadCommand::PriceWithoutCurrency => "no currency".to_owned(),
        BadCommand::NeverAlive => "never alive".to_owned(),
        BadCommand::GrantIdTaken(_) => "id taken".to_owned(),
        BadCommand::OtherCurrency { .. } => "other currency".to_owned(),
    }
}

#[test]
fn an_opening_names_a_plan_and_perhaps_a_day() {
    check(
        "open",
        r#"
        plan=small                  -> grant 100.000000
        plan=small anchor_day=31    -> grant 100.000000
        plan=small anchor_day=1.5e1 -> grant 100.000000
        plan=small anchor_day=null  -> grant 100.000000
        plan=null plan=small        -> grant 100.000000
        plan=small anchor_day=0     -> bad_command: anchor_day
        plan=small anchor_day=32    -> bad_command: anchor_day
        plan=small anchor_day=-1    -> bad_command: anchor_day
        plan=small anchor_day=1.5   -> bad_command: anchor_day
        plan=small anchor_day=1.0000001 -> bad_command: anchor_day
        plan=small anchor_day="1"   -> bad_command: anchor_day
        plan=small anchor_day=1e99  -> bad_command: anchor_day
        anchor_day=1                -> bad_command: no plan
        plan=null                   -> bad_command: no plan
        plan=7                      -> bad_command: plan
        plan=huge                   -> bad_command: unknown plan
        "#,
    );
}

#[test]
fn a_grant_names_credits_and_basis() {
    check(
        "grant",
        r#"
        basis=purchased credits=5            -> grant 5.000000
        basis=purchased credits="5.50"       -> grant 5.500000
        basis=promotional credits=0.000001   -> grant 0.000001
        basis=promotional credits=1e-6       -> grant 0.000001
        basis=promotional credits=5.1000000  -> grant 5.100000
        basis=promotional credits=1.2500e+2  -> grant 125.000000
        basis=purchased credits=499999999999.999999 -> grant 499999999999.999999
        basis=purchased credits=5 unknown=[] -> grant 5.000000
        basis=purchased credits=5 priority=null expires_at=null price=null -> grant 5.000000
        basis=purchased credits=5 priority=-2147483648 -> grant 5.000000
        basis=purchased credits=5 price=49.99 currency=USD -> grant 5.000000
        basis=purchased credits=5 price=1e-9 currency=USD -> grant 5.000000
        basis=promotional credits=5 price=0 currency=USD -> grant 5.000000
        credits=5                            -> bad_command: no basis
        basis=gift credits=5                 -> bad_command: basis
        basis=pool credits=5                 -> bad_command: basis
        basis=purchased                      -> bad_command: no credits
        basis=purchased credits=0            -> bad_command: credits
        basis=purchased credits=-5           -> bad_command: credits
        basis=purchased credits=0.0000001    -> bad_command: credits
        basis=purchased credits=12.34567891e0 -> bad_command: credits
        basis=purchased credits=1e12         -> bad_command: credits
        basis=purchased credits=1e999999999999 -> bad_command: credits
        basis=purchased credits=true         -> bad_command: credits
        basis=purchased credits="5e0"        -> bad_command: credits
        basis=purchased credits=5 priority=1.5 -> bad_command: priority
        basis=purchased credits=5 priority=2147483648 -> bad_command: priority
        basis=purchased credits=5 price=5    -> bad_command: no currency
        basis=purchased credits=5 price=5 currency=7 -> bad_command: currency
        basis=purchased credits=5 price=5 currency=usd -> bad_command: currency
        basis=purchased credits=5 price=-5 currency=USD -> bad_command: price
        basis=purchased credits=5 price=1000000000 currency=USD -> bad_command: price
        basis=purchased credits=5 expires_at=tomorrow -> bad_command: expires_at
        basis=purchased credits=5 effective_at=7 -> bad_command: effective_at
        basis=purchased credits=5 expires_at=2026-10-01T00:00:00Z -> bad_command: never alive
        basis=purchased credits=5 expires_at=2026-10-01T00:00:00.000001Z -> grant 5.000000
        "#,
    );
}

#[test]
fn a_price_in_scientific_notation_is_exact() {
    story(
        PRICES,
        "
        10-01 00:00 acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-01 00:00 acme grant g credits=1 basis=purchased price=1.234567891e0 currency=USD
          | grant 10-01 /app/g +1 left=101 1.234567891 USD
        ",
    );
}

#[test]
fn a_grants_id_is_neither_reserved_nor_taken() {
    story(
        PRICES,
        "
        10-01 00:00 acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-01 00:00 source=pool acme grant 2026-11-01 credits=1 basis=purchased
          | rejected bad_command
        10-01 00:00 source=rollover/x acme grant y credits=1 basis=purchased
          | rejected bad_command
        10-01 00:00 source=pools acme grant 1 credits=1 basis=purchased
          | grant 10-01 pools/1 +1 left=101
        ",
    );
}

#[test]
fn grants_that_no_column_could_hold_together_are_overflow() {
    story(
        PRICES,
        "
        10-01 00:00 acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-01 00:00 acme grant a credits=499999999999 basis=promotional \
            effective_at=2027-01-01T00:00:00Z
          | grant 10-01 /app/a +499999999999 left=100
        10-01 00:00 acme grant b credits=1 basis=promotional
          | rejected overflow
        10-01 00:00 acme grant b credits=0.999999 basis=promotional
          | grant 10-01 /app/b +0.999999 left=100.999999
        ",
    );
}
