//! Columns are read by the Parquet library as they were written: every kind, width and length, at
//! the ends of blocks and pages.

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type};
use parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection, RowSelector,
};
use parquet::file::metadata::PageIndexPolicy;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use proptest::prelude::*;

use super::*;

/// A file with this one column.
fn file_of(column: Values<'_>, declared: &str) -> Bytes {
    let schema = format!("message m {{ {declared}; }}");
    let schema = Arc::new(parse_message_type(&schema).expect("a schema"));
    let properties = Arc::new(WriterProperties::builder().build());
    let writer = SerializedFileWriter::new(Vec::new(), schema, properties);
    let mut writer = writer.expect("a writer");
    let description = writer.schema_descr().columns()[0].clone();
    let asked = Asked {
        bounds: true,
        filter: true,
    };
    let mut encoder = Encoder::new().expect("an encoder");
    let encoded = encoder.encode(column, &description, asked);
    let (bytes, close) = encoded.expect("an encoded column");
    let mut group = writer.next_row_group().expect("a row group");
    group
        .append_column(&bytes, close)
        .expect("an appended column");
    group.close().expect("a closed row group");
    writer.into_inner().expect("a file").into()
}

/// What the library reads of it, and its statistics.
fn read(file: Bytes) -> (Vec<RecordBatch>, Statistics) {
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("a footer");
    let statistics = reader.metadata().row_group(0).column(0).statistics();
    let statistics = statistics.expect("statistics").clone();
    let batches = reader.build().expect("a reader");
    let batches = batches.map(|batch| batch.expect("a batch"));
    (batches.collect(), statistics)
}

fn read_texts(rows: &[Option<String>], may_be_null: bool) {
    let repetition = if may_be_null { "optional" } else { "required" };
    let mut codes = Codes::default();
    let mut texts = Texts::default();
    for row in rows {
        codes.push_option(row.as_deref());
        texts.push_option(row.as_deref());
    }
    for column in [Values::Codes(&codes), Values::Texts(&texts)] {
        let (batches, statistics) = read(file_of(column, &format!("{repetition} binary a (UTF8)")));
        let mut found = Vec::new();
        for batch in batches {
            let texts = batch.column(0).as_string::<i32>();
            found.extend(texts.iter().map(|text| text.map(str::to_owned)));
        }
        assert_eq!(found, rows);
        let present = || rows.iter().flatten();
        let bytes = |text: Option<&String>| text.map(|text| text.as_bytes().to_vec());
        assert_eq!(
            statistics.min_bytes_opt().map(<[u8]>::to_vec),
            bytes(present().min())
        );
        assert_eq!(
            statistics.max_bytes_opt().map(<[u8]>::to_vec),
            bytes(present().max())
        );
        let nulls = rows.len() - present().count();
        assert_eq!(statistics.null_count_opt(), Some(nulls as u64));
    }
}

fn read_numbers(rows: &[Option<i64>], may_be_null: bool) {
    let repetition = if may_be_null { "optional" } else { "required" };
    let (mut longs, mut ints, mut flags) = (Fixed::default(), Fixed::default(), Fixed::default());
    for row in rows {
        longs.push_option(*row);
        ints.push_option(row.map(|row| row as i32));
        flags.push_option(row.map(|row| row % 2 == 0));
    }
    let (batches, statistics) = read(file_of(
        Values::Longs(&longs),
        &format!("{repetition} int64 a"),
    ));
    let found = batches
        .iter()
        .flat_map(|batch| batch.column(0).as_primitive::<Int64Type>());
    assert!(found.eq(rows.iter().copied()), "64 bits");
    let Statistics::Int64(statistics) = statistics else {
        panic!("statistics of another type");
    };
    assert_eq!(statistics.min_opt(), rows.iter().flatten().min());
    assert_eq!(statistics.max_opt(), rows.iter().flatten().max());
    let (batches, _) = read(file_of(
        Values::Ints(&ints),
        &format!("{repetition} int32 a"),
    ));
    let found = batches
        .iter()
        .flat_map(|batch| batch.column(0).as_primitive::<Int32Type>());
    assert!(
        found.eq(rows.iter().map(|row| row.map(|row| row as i32))),
        "32 bits"
    );
    let (batches, _) = read(file_of(
        Values::Flags(&flags),
        &format!("{repetition} boolean a"),
    ));
    let found = batches
        .iter()
        .flat_map(|batch| batch.column(0).as_boolean().iter());
    assert!(
        found.eq(rows.iter().map(|row| row.map(|row| row % 2 == 0))),
        "flags"
    );
}

/// Rows in runs: what, and how often. Few values have many rows, and many have few.
fn runs() -> impl Strategy<Value = Vec<(Option<u16>, usize)>> {
    let value = prop_oneof![
        Just(None),
        (0..3_u16).prop_map(Some),
        (0..700_u16).prop_map(Some)
    ];
    let length = prop_oneof![1..3_usize, 5..20_usize, 100..300_usize];
    prop::collection::vec((value, length), 0..60)
}

/// Numbers as ledgers have them, and as they have not: what each adds to the one before.
fn numbers() -> impl Strategy<Value = Vec<Option<i64>>> {
    let step = prop_oneof![
        Just(Some(0_i64)),
        (0..1_000_i64).prop_map(Some),
        any::<i32>().prop_map(|step| Some(step.into())),
        any::<i64>().prop_map(Some),
        Just(None),
    ];
    prop::collection::vec((step, 1..200_usize), 0..12).prop_map(|steps| {
        let mut last = 0_i64;
        let steps = steps.into_iter();
        let rows = steps.flat_map(|(step, times)| std::iter::repeat_n(step, times));
        let mut number = |step: i64| {
            last = last.wrapping_add(step);
            last
        };
        rows.map(|step| step.map(&mut number)).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_library_reads_texts_as_they_were(runs in runs()) {
        let rows: Vec<Option<String>> = runs
            .iter()
            .flat_map(|(text, length)| {
                let text = text.map(|text| format!("text {text}"));
                std::iter::repeat_n(text, *length)
            })
            .collect();
        read_texts(&rows, true);
        let present: Vec<_> = rows.into_iter().filter(Option::is_some).collect();
        read_texts(&present, false);
    }

    #[test]
    fn the_library_reads_numbers_as_they_were(rows in numbers()) {
        read_numbers(&rows, true);
        let present: Vec<_> = rows.into_iter().filter(Option::is_some).collect();
        read_numbers(&present, false);
    }
}

#[test]
fn numbers_of_every_width_and_at_the_ends_of_a_block_are_read() {
    for bits in 0..64 {
        for count in [1, 2, 63, 64, 65, 255, 256, 257, 258, 600] {
            let number =
                |row: i64| Some((row.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as i64)) >> bits);
            let rows: Vec<_> = (0..count).map(number).collect();
            read_numbers(&rows, true);
        }
    }
    let ends = [i64::MIN, i64::MAX, 0, i64::MAX, i64::MIN, -1];
    let narrow = ends.map(|end| Some(end >> 32));
    read_numbers(&ends.map(Some), false);
    read_numbers(&narrow, false);
}

#[test]
fn texts_of_every_width_and_over_many_pages_are_read() {
    for count in [1, 2, 3, 4, 5, 8, 9, 200, 257, 5_000, 70_000] {
        let rows: Vec<_> = (0..count).map(|text| Some(text.to_string())).collect();
        let twice: Vec<_> = rows.iter().chain(rows.iter().rev()).cloned().collect();
        read_texts(&twice, true);
        read_texts(&twice, false);
    }
    let page = PAGE_ROWS as i64;
    let sparse = (0..3 * page).map(|row| (row % 5_000 == 0).then(|| row.to_string()));
    read_texts(&sparse.collect::<Vec<_>>(), true);
    read_texts(&vec![None; PAGE_ROWS + 1], true);
}

#[test]
fn few_texts_are_not_compressed_and_many_are() {
    for (count, expected) in [
        (100, Compression::UNCOMPRESSED),
        (10_000, Compression::ZSTD(ZstdLevel::default())),
    ] {
        let mut rows: Vec<_> = (0..count).map(|row| Some(format!("text {row}"))).collect();
        rows.extend(rows.clone());
        read_texts(&rows, true);
        let mut codes = Codes::default();
        rows.iter()
            .for_each(|row| codes.push_option(row.as_deref()));
        let file = file_of(Values::Codes(&codes), "optional binary a (UTF8)");
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("a footer");
        let column = reader.metadata().row_group(0).column(0).clone();
        assert_eq!(column.compression(), expected);
        let saved = column.uncompressed_size() - column.compressed_size();
        assert_eq!(saved > 0, expected != Compression::UNCOMPRESSED, "{saved}");
    }
}

/// A column of long texts has pages, so that who wants a row reads one of them.
#[test]
fn one_row_is_read_without_the_pages_before_it() {
    let mut texts = Texts::default();
    let rows = 3 * PAGE_ROWS;
    for row in 0..rows {
        texts.push_option((row % 3 > 0).then(|| format!("text {row}")).as_deref());
    }
    let file = file_of(Values::Texts(&texts), "optional binary a (UTF8)");
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
    let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options);
    let reader = reader.expect("a footer");
    let index = reader.metadata().offset_index().expect("where pages lie");
    assert_eq!(index[0][0].page_locations().len(), 3);
    let wanted = 2 * PAGE_ROWS + 1;
    let selection = vec![RowSelector::skip(wanted), RowSelector::select(2)];
    let reader = reader.with_row_selection(RowSelection::from(selection));
    let batches: Vec<_> = reader
        .build()
        .expect("a reader")
        .map(|batch| batch.expect("rows"))
        .collect();
    let found: Vec<_> = batches[0].column(0).as_string::<i32>().iter().collect();
    let expected: Vec<_> = (wanted..wanted + 2)
        .map(|row| (row % 3 > 0).then(|| format!("text {row}")))
        .collect();
    assert_eq!(
        found,
        expected.iter().map(Option::as_deref).collect::<Vec<_>>()
    );
}
