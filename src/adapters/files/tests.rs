//! Lines of every length come one by one, from files and from pipes that are quiet for long.

use super::*;
use std::io::Write;

fn blocks(bytes: &[u8], ending: &str) -> Vec<Block> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(format!("events.ndjson{ending}"));
    std::fs::write(&path, bytes).expect("a file");
    let mut reader = LineReader::open(&path).expect("an open file");
    std::iter::from_fn(|| reader.next_block().expect("readable")).collect()
}

fn text(blocks: &[Block]) -> Vec<(u64, String)> {
    let mut lines = Vec::new();
    for block in blocks {
        match block {
            Block::Lines {
                first,
                count,
                bytes,
            } => {
                let body = bytes.strip_suffix(b"\n").unwrap_or(bytes);
                let before = lines.len();
                for (line, number) in body.split(|byte| *byte == b'\n').zip(*first..) {
                    lines.push((number, String::from_utf8_lossy(line).into_owned()));
                }
                assert_eq!((lines.len() - before) as u64, *count);
            }
            Block::Long(long) => lines.push((long.number, format!("{} long", long.length))),
        }
    }
    lines
}

#[test]
fn numbers_lines_plain_and_compressed() {
    let expected = [
        (1, "a".to_owned()),
        (2, String::new()),
        (3, "c\r".to_owned()),
    ];
    assert_eq!(text(&blocks(b"a\n\nc\r", "")), expected);
    assert_eq!(text(&blocks(b"a\n\nc\r\n", "")), expected);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(b"a\n\nc\r\n").expect("in memory");
    assert_eq!(
        text(&blocks(&gzip.finish().expect("in memory"), ".gz")),
        expected
    );
    let zstd = zstd::encode_all(&b"a\n\nc\r\n"[..], 1).expect("in memory");
    assert_eq!(text(&blocks(&zstd, ".zst")), expected);
    assert!(blocks(b"", "").is_empty());
}

#[test]
fn keeps_only_the_head_of_a_line_that_is_too_long() {
    let mut bytes = b"short\n".to_vec();
    bytes.extend("é".repeat(6 << 20).into_bytes());
    bytes.extend(b"\r\nlast");
    let blocks = blocks(&bytes, "");
    let expected = [
        (1, "short".to_owned()),
        (2, format!("{} long", 12 << 20)),
        (3, "last".to_owned()),
    ];
    assert_eq!(text(&blocks), expected);
    let long = blocks.iter().find_map(|block| match block {
        Block::Long(long) => Some((long.head.len(), long.is_text, long.is_blank)),
        Block::Lines { .. } => None,
    });
    assert_eq!(long, Some((HEAD_BYTES, true, false)));
}

#[test]
fn tells_text_from_bytes_across_parts() {
    for (parts, is_text) in [
        (&[&b"\xc3"[..], b"\xa9"][..], true),
        (&[b"a\xf0\x9f", b"\x98", b"\x80b"], true),
        (&[b"\xc3", b"a"], false),
        (&[b"\xc3"], false),
        (&[b"\xff", b"a"], false),
    ] {
        let mut check = TextCheck::default();
        parts.iter().for_each(|part| check.add(part));
        assert_eq!(check.is_text(), is_text, "{parts:?}");
    }
}

/// Its end is told by the first byte of another read.
#[test]
fn a_long_line_may_end_where_a_read_does() {
    let length = (LINE_BYTES_MAX / READ_BYTES + 1) * READ_BYTES - 1;
    let mut bytes = vec![b'x'; length];
    bytes.extend(b"\r\nlast");
    let mut reader = reader(Box::new(io::Cursor::new(bytes)));
    let Some(Block::Long(long)) = reader.next_block().expect("a block") else {
        panic!("no long line")
    };
    assert_eq!(long.length, length);
}

/// What is not there yet.
struct Quiet;

impl Read for Quiet {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        panic!("waits for more")
    }
}

#[test]
fn lines_behind_a_long_one_do_not_wait_for_more() {
    let mut bytes = vec![b'x'; LINE_BYTES_MAX + READ_BYTES + 1];
    bytes.extend(b"\nfirst\nsecond\n");
    let mut reader = reader(Box::new(io::Cursor::new(bytes).chain(Quiet)));
    let long = reader.next_block().expect("a block");
    assert!(matches!(long, Some(Block::Long(_))));
    let Some(Block::Lines { bytes, .. }) = reader.next_block().expect("a block") else {
        panic!("no lines")
    };
    assert_eq!(bytes, b"first\nsecond\n");
}

fn reader(input: Box<dyn Read + Send>) -> LineReader {
    LineReader::over(Path::new(STDIN), input, Progress::default())
}
