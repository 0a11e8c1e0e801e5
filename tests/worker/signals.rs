//! Signals to sales, told by a real broker.

use serde_json::Value;

use crate::input::documents;
use crate::world::World;

#[test]
fn a_signal_is_told_once_a_period_and_kind() {
    let world = World::new();
    // More than the pool at once: the wallet has outgrown its plan.
    world.publish_lines("a.ndjson", &[documents("acme", "1", 1_500)]);
    world.work_until("data", 1, &[]);
    let tell = || {
        let mut command = world.purser("data");
        command.args(["signals", "--publish", "--format", "ndjson"]);
        command.args(["--nats", &world.server.url()]);
        let ended = world.start(command, "signals").wait();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended
    };
    let first = tell();
    assert!(
        first.log.contains("1 signals told, 0 were told before"),
        "{first:?}"
    );
    let second = tell();
    assert!(
        second.log.contains("0 signals told, 1 were told before"),
        "{second:?}"
    );
    let (subject, event) = world.block_on(async {
        let stream = world.jetstream().await.get_stream("SIGNALS").await;
        let mut stream = stream.expect("SIGNALS");
        assert_eq!(stream.info().await.expect("its state").state.messages, 1);
        let message = stream.get_raw_message(1).await.expect("the signal");
        let event: Value = serde_json::from_slice(&message.payload).expect("JSON");
        (message.subject.to_string(), event)
    });
    let row: Value = serde_json::from_str(first.out.lines().next().expect("a row")).expect("JSON");
    let period = row["period"].as_str().expect("a period");
    assert_eq!(subject, format!("signals.acme.ceiling.{period}"));
    assert_eq!(event["id"], format!("acme/ceiling/{period}"));
    assert_eq!(event["type"], "purser.signal.ceiling");
    assert_eq!(event["subject"], "acme");
    assert_eq!(event["data"], row);
}
