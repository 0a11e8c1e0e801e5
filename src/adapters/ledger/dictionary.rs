//! Texts that repeat → one column of a row group.
//!
//! Owns its pages: a dictionary of the texts, and a page of which one each row has. Leaves headers
//! and the file to the Parquet library, which would look each row's text up again.
//!
//! The format is Apache Parquet's: dictionary encoding, the RLE and bit-packing hybrid, and data
//! pages of version 2.

use bytes::Bytes;
use parquet::basic::Encoding;
use parquet::bloom_filter::Sbbf;
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::ByteArray;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, OffsetIndexBuilder};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;
use zstd::bulk::Compressor;

use super::codes::Codes;

/// Rows of one value that are worth a run of their own.
const RUN_MIN: usize = 16;

/// Encodes a column; gives its bytes and what the file's footer says of them.
pub(super) fn encode(
    column: &Codes,
    (description, properties): (&ColumnDescPtr, &WriterProperties),
    zstd: &mut Compressor<'_>,
) -> Result<(Bytes, ColumnCloseResult)> {
    let rows = column.validity.rows();
    let mut sink = TrackedWrite::new(Vec::new());
    let mut writer = SerializedPageWriter::new(&mut sink);
    let dictionary = writer.write_page(dictionary_page(column, zstd)?)?;
    let data = writer.write_page(data_page(column, description.max_def_level() > 0, zstd)?)?;

    let path = description.path();
    let mut metadata = ColumnChunkMetaData::builder(description.clone())
        .set_compression(properties.compression(path))
        .set_encodings(vec![
            Encoding::PLAIN,
            Encoding::RLE,
            Encoding::RLE_DICTIONARY,
        ])
        .set_num_values(rows as i64)
        .set_total_compressed_size((dictionary.compressed_size + data.compressed_size) as i64)
        .set_total_uncompressed_size((dictionary.uncompressed_size + data.uncompressed_size) as i64)
        .set_dictionary_page_offset(Some(dictionary.offset as i64))
        .set_data_page_offset(data.offset as i64);
    if properties.statistics_enabled(path) != EnabledStatistics::None {
        let text = |text: Option<&str>| text.map(ByteArray::from);
        let (min, max) = (text(column.texts().min()), text(column.texts().max()));
        let nulls = (rows - column.codes.len()) as u64;
        metadata =
            metadata.set_statistics(Statistics::byte_array(min, max, None, Some(nulls), false));
    }
    let bloom_filter = properties.bloom_filter_properties(path).map(|filter| {
        let mut bloom = Sbbf::new_with_ndv_fpp(column.count().max(1) as u64, filter.fpp())?;
        column.texts().for_each(|text| bloom.insert(text));
        Ok::<_, ParquetError>(bloom)
    });
    let mut offsets = OffsetIndexBuilder::new();
    offsets.append_row_count(rows as i64);
    offsets.append_offset_and_size(data.offset as i64, data.compressed_size as i32);
    let close = ColumnCloseResult {
        bytes_written: dictionary.bytes_written + data.bytes_written,
        rows_written: rows as u64,
        metadata: metadata.build()?,
        bloom_filter: bloom_filter.transpose()?,
        column_index: None,
        offset_index: Some(offsets.build()),
    };
    Ok((sink.into_inner()?.into(), close))
}

fn dictionary_page(column: &Codes, zstd: &mut Compressor<'_>) -> Result<CompressedPage> {
    let count = column.count();
    let mut plain = Vec::with_capacity(column.text.len() + count * size_of::<u32>());
    for text in column.texts() {
        plain.extend((text.len() as u32).to_le_bytes());
        plain.extend(text.as_bytes());
    }
    let page = Page::DictionaryPage {
        buf: zstd.compress(&plain)?.into(),
        num_values: count as u32,
        encoding: Encoding::PLAIN,
        is_sorted: false,
    };
    Ok(CompressedPage::new(page, plain.len()))
}

fn data_page(
    column: &Codes,
    may_be_null: bool,
    zstd: &mut Compressor<'_>,
) -> Result<CompressedPage> {
    let rows = column.validity.rows();
    let mut buffer = Vec::new();
    if may_be_null {
        hybrid(column.validity.iter().map(u32::from), 1, &mut buffer);
    }
    let levels = buffer.len();
    let greatest = column.count().saturating_sub(1) as u32;
    let width = u32::BITS - greatest.leading_zeros();
    let mut numbers = vec![width as u8];
    hybrid(column.codes.iter().copied(), width, &mut numbers);
    let compressed = zstd.compress(&numbers)?;
    let is_compressed = compressed.len() < numbers.len();
    buffer.extend(if is_compressed { &compressed } else { &numbers });
    let page = Page::DataPageV2 {
        buf: buffer.into(),
        num_values: rows as u32,
        encoding: Encoding::RLE_DICTIONARY,
        num_nulls: (rows - column.codes.len()) as u32,
        num_rows: rows as u32,
        def_levels_byte_len: levels as u32,
        rep_levels_byte_len: 0,
        is_compressed,
        statistics: None,
    };
    Ok(CompressedPage::new(page, levels + numbers.len()))
}

/// Appends values of `width` bits as runs of one value, and as groups of eight.
fn hybrid(mut values: impl Iterator<Item = u32>, width: u32, out: &mut Vec<u8>) {
    let mut hybrid = Hybrid {
        out,
        width,
        groups: Vec::new(),
        run: (0, 0),
    };
    loop {
        let mut group = [0; 8];
        let mut count = 0;
        for (place, value) in group.iter_mut().zip(&mut values) {
            *place = value;
            count += 1;
        }
        if count == 0 {
            break;
        }
        hybrid.push(group, count);
    }
    hybrid.end_run();
    hybrid.end_groups();
}

struct Hybrid<'a> {
    out: &'a mut Vec<u8>,
    width: u32,
    /// Groups that are not written yet, packed.
    groups: Vec<u8>,
    /// A value, and how often it came after those.
    run: (u32, usize),
}

impl Hybrid<'_> {
    /// Takes `count` values, which are eight but at the very end.
    fn push(&mut self, group: [u32; 8], count: usize) {
        let (value, length) = self.run;
        let first = group[0];
        let is_one = group[..count].iter().all(|value| *value == first);
        if is_one && length > 0 && value == first {
            self.run.1 += count;
            return;
        }
        self.end_run();
        match is_one {
            true => self.run = (first, count),
            false => self.pack(group),
        }
    }

    fn pack(&mut self, group: [u32; 8]) {
        let (mut bits, mut count) = (0, 0);
        for value in group {
            bits |= u64::from(value) << count;
            count += self.width;
            if count >= u32::BITS {
                self.groups.extend((bits as u32).to_le_bytes());
                bits >>= u32::BITS;
                count -= u32::BITS;
            }
        }
        // Eight values are whole bytes.
        self.groups
            .extend(&bits.to_le_bytes()[..count as usize / 8]);
    }

    fn end_run(&mut self) {
        let (value, length) = std::mem::take(&mut self.run);
        // Groups of no bits would be nothing at all.
        if length < RUN_MIN && self.width > 0 {
            for _ in 0..length.div_ceil(8) {
                self.pack([value; 8]);
            }
            return;
        }
        if length == 0 {
            return;
        }
        self.end_groups();
        self.header(length << 1);
        let bytes = self.width.div_ceil(8) as usize;
        self.out.extend(&value.to_le_bytes()[..bytes]);
    }

    fn end_groups(&mut self) {
        if self.groups.is_empty() {
            return;
        }
        let count = self.groups.len() / self.width as usize;
        self.header(count << 1 | 1);
        self.out.append(&mut self.groups);
    }

    /// A number in bytes of seven bits, the lowest first; all but the last are marked.
    fn header(&mut self, mut number: usize) {
        while number >= 0x80 {
            self.out.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.out.push(number as u8);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::AsArray;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use parquet::basic::{Compression, ZstdLevel};
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;
    use proptest::prelude::*;

    use super::*;

    /// What the library reads of a file with this one column.
    fn read_back(rows: &[Option<String>], may_be_null: bool) -> Vec<Option<String>> {
        let repetition = if may_be_null { "optional" } else { "required" };
        let schema = format!("message m {{ {repetition} binary a (UTF8); }}");
        let schema = Arc::new(parse_message_type(&schema).expect("a schema"));
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_bloom_filter_enabled(true)
            .build();
        let properties = Arc::new(properties);
        let mut column = Codes::default();
        for row in rows {
            column.push_option(row.as_deref());
        }
        let writer = SerializedFileWriter::new(Vec::new(), schema, properties.clone());
        let mut writer = writer.expect("a writer");
        let description = writer.schema_descr().columns()[0].clone();
        let mut zstd = Compressor::new(1).expect("a compressor");
        let encoded = encode(&column, (&description, &properties), &mut zstd);
        let (bytes, close) = encoded.expect("an encoded column");
        let mut group = writer.next_row_group().expect("a row group");
        group
            .append_column(&bytes, close)
            .expect("an appended column");
        group.close().expect("a closed row group");
        let file = Bytes::from(writer.into_inner().expect("a file"));
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("a footer");
        let statistics = reader.metadata().row_group(0).column(0).statistics();
        let least = statistics.and_then(Statistics::min_bytes_opt);
        let texts = rows.iter().flatten();
        assert_eq!(least, texts.min().map(String::as_bytes));
        let batches = reader.build().expect("a reader");
        let mut found = Vec::new();
        for batch in batches {
            let batch = batch.expect("a batch");
            let texts = batch.column(0).as_string::<i32>();
            found.extend(texts.iter().map(|text| text.map(str::to_owned)));
        }
        found
    }

    /// Rows in runs: what, and how often. Few texts have many rows, and many have few.
    fn runs() -> impl Strategy<Value = Vec<(Option<u16>, usize)>> {
        let text = prop_oneof![
            Just(None),
            (0..3_u16).prop_map(Some),
            (0..700_u16).prop_map(Some)
        ];
        let length = prop_oneof![1..3_usize, 5..20_usize, 100..300_usize];
        prop::collection::vec((text, length), 0..60)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn the_library_reads_what_was_encoded(runs in runs()) {
            let rows: Vec<Option<String>> = runs
                .iter()
                .flat_map(|(text, length)| {
                    let text = text.map(|text| format!("text {text}"));
                    std::iter::repeat_n(text, *length)
                })
                .collect();
            prop_assert_eq!(&read_back(&rows, true), &rows);
            let present: Vec<_> = rows.into_iter().filter(Option::is_some).collect();
            prop_assert_eq!(&read_back(&present, false), &present);
        }
    }

    #[test]
    fn every_width_is_read_back() {
        for count in [1, 2, 3, 4, 5, 8, 9, 200, 257, 5_000, 70_000] {
            let rows: Vec<_> = (0..count).map(|text| Some(text.to_string())).collect();
            let twice: Vec<_> = rows.iter().chain(rows.iter().rev()).cloned().collect();
            assert_eq!(read_back(&twice, true), twice, "{count}");
        }
    }
}
