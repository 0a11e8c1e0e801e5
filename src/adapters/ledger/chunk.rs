//! One column of a row group → its bytes.
//!
//! Owns its pages, its statistics and its Bloom filter. Leaves packing numbers to `deltas` and
//! `hybrid`, and headers and the file to the Parquet library, which would look at each value again.
//!
//! The format is Apache Parquet's: texts that repeat are a dictionary and a page of which one each
//! row has, others are lengths and bytes, numbers are deltas; data pages of version 2.

use std::cmp::Ordering;

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::bloom_filter::Sbbf;
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::ByteArray;
use parquet::errors::Result;
use parquet::file::metadata::{ColumnChunkMetaData, OffsetIndexBuilder};
use parquet::file::properties::DEFAULT_BLOOM_FILTER_FPP;
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;
use zstd::bulk::Compressor;

use super::buffers::{Fixed, Texts};
use super::codes::Codes;
use super::deltas;
use super::group::Values;
use super::hybrid;

/// Fast, and hardly larger than what higher levels make.
const ZSTD_LEVEL: i32 = 1;
/// Texts of a dictionary from which on they are compressed, in bytes. Of fewer, little would be
/// saved, and readers make a decompressor for each compressed column.
const COMPRESSED_BYTES: usize = 4 << 10;
/// Rows of a page of texts that do not repeat, so that who wants one row need not read all.
const PAGE_ROWS: usize = 16 << 10;

/// What a column's readers may ask for beside its values.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    /// The least and the greatest value.
    pub(super) bounds: bool,
    /// A Bloom filter.
    pub(super) filter: bool,
}

/// Encodes the columns of a file, with memory that is used again.
pub(super) struct Encoder {
    zstd: Compressor<'static>,
    page: Vec<u8>,
    packed: Vec<u8>,
    /// For the next column.
    spare: Vec<u8>,
}

/// A chunk in the making.
struct Chunk<'a, 'b> {
    writer: SerializedPageWriter<'a, Vec<u8>>,
    zstd: &'b mut Compressor<'static>,
    /// The page at hand: which rows have a value, and the values.
    page: &'b mut Vec<u8>,
    packed: &'b mut Vec<u8>,
    nulls: &'b [u32],
    may_be_null: bool,
    rows: usize,
    dictionary_at: Option<u64>,
    data_at: Option<u64>,
    compressed: usize,
    uncompressed: usize,
    written: u64,
    offsets: OffsetIndexBuilder,
}

impl Encoder {
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self {
            zstd: Compressor::new(ZSTD_LEVEL)?,
            page: Vec::new(),
            packed: Vec::new(),
            spare: Vec::new(),
        })
    }

    /// Takes the bytes of a column that are no longer needed, for their memory.
    pub(super) fn reuse(&mut self, bytes: Bytes) {
        self.spare = bytes.into();
        self.spare.clear();
    }

    /// Encodes a column; gives its bytes and what the file's footer says of them.
    pub(super) fn encode(
        &mut self,
        column: Values<'_>,
        description: &ColumnDescPtr,
        asked: Asked,
    ) -> Result<(Bytes, ColumnCloseResult)> {
        if let Values::Codes(codes) = column
            && !codes.do_repeat()
        {
            return self.encode(Values::Texts(&codes.to_texts()), description, asked);
        }
        let mut sink = TrackedWrite::new(std::mem::take(&mut self.spare));
        let Self {
            zstd, page, packed, ..
        } = self;
        let mut chunk = Chunk {
            writer: SerializedPageWriter::new(&mut sink),
            zstd,
            page,
            packed,
            nulls: column.nulls(),
            may_be_null: description.max_def_level() > 0,
            rows: 0,
            dictionary_at: None,
            data_at: None,
            compressed: 0,
            uncompressed: 0,
            written: 0,
            offsets: OffsetIndexBuilder::new(),
        };
        let encodings = chunk.pages(column)?;
        let compression = match is_compressed(column) {
            true => Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?),
            false => Compression::UNCOMPRESSED,
        };
        let mut metadata = ColumnChunkMetaData::builder(description.clone())
            .set_compression(compression)
            .set_encodings(encodings)
            .set_num_values(chunk.rows as i64)
            .set_total_compressed_size(chunk.compressed as i64)
            .set_total_uncompressed_size(chunk.uncompressed as i64)
            .set_dictionary_page_offset(chunk.dictionary_at.map(|at| at as i64))
            .set_data_page_offset(chunk.data_at.unwrap_or_default() as i64);
        if asked.bounds {
            metadata = metadata.set_statistics(statistics(column));
        }
        let close = ColumnCloseResult {
            bytes_written: chunk.written,
            rows_written: chunk.rows as u64,
            metadata: metadata.build()?,
            bloom_filter: asked.filter.then(|| filter(column)).transpose()?,
            column_index: None,
            offset_index: Some(chunk.offsets.build()),
        };
        Ok((sink.into_inner()?.into(), close))
    }
}

/// Whether some of a column's pages may be compressed, its dictionary is then.
fn is_compressed(column: Values<'_>) -> bool {
    match column {
        Values::Texts(_) => true,
        Values::Codes(codes) => codes.text.len() >= COMPRESSED_BYTES,
        Values::Ints(_) | Values::Longs(_) | Values::Flags(_) => false,
    }
}

impl<'b> Chunk<'_, 'b> {
    /// Writes all pages; gives the encodings that are in them.
    fn pages(&mut self, column: Values<'_>) -> Result<Vec<Encoding>> {
        let packing = Encoding::DELTA_BINARY_PACKED;
        let encoding = match column {
            Values::Ints(ints) => {
                let rows = self.begin(ints.rows());
                deltas::pack(&ints.values, self.page);
                self.end(rows, packing, false)?;
                packing
            }
            Values::Longs(longs) => {
                let rows = self.begin(longs.rows());
                deltas::pack(&longs.values, self.page);
                self.end(rows, packing, false)?;
                packing
            }
            Values::Flags(flags) => {
                let rows = self.begin(flags.rows());
                let values: Vec<_> = flags.values.iter().map(|flag| u32::from(*flag)).collect();
                // A length in front, which other numbers in this encoding have not.
                let at = self.page.len();
                self.page.extend([0; size_of::<u32>()]);
                hybrid::pack(&values, 1, self.page);
                let (length, values) = self.page[at..].split_at_mut(size_of::<u32>());
                length.copy_from_slice(&(values.len() as u32).to_le_bytes());
                self.end(rows, Encoding::RLE, false)?;
                Encoding::RLE
            }
            Values::Texts(texts) => {
                self.texts(texts)?;
                Encoding::DELTA_LENGTH_BYTE_ARRAY
            }
            Values::Codes(codes) => {
                self.dictionary(codes)?;
                let rows = self.begin(codes.rows());
                let greatest = codes.count().saturating_sub(1) as u32;
                let width = u32::BITS - greatest.leading_zeros();
                self.page.push(width as u8);
                hybrid::pack(&codes.codes, width, self.page);
                self.end(rows, Encoding::RLE_DICTIONARY, false)?;
                return Ok(vec![
                    Encoding::PLAIN,
                    Encoding::RLE,
                    Encoding::RLE_DICTIONARY,
                ]);
            }
        };
        Ok(vec![Encoding::RLE, encoding])
    }

    fn texts(&mut self, texts: &Texts) -> Result<()> {
        let (mut lengths, mut bytes) = (texts.lengths.as_slice(), texts.bytes.as_slice());
        let all = texts.rows();
        while self.rows < all || self.data_at.is_none() {
            let count = (all - self.rows).min(PAGE_ROWS);
            let (here, after) = lengths.split_at(count - self.nulls_of(count).len());
            let length: usize = here.iter().map(|length| *length as usize).sum();
            let rows = self.begin(count);
            deltas::pack(here, self.page);
            self.page.extend_from_slice(&bytes[..length]);
            (lengths, bytes) = (after, &bytes[length..]);
            self.end(rows, Encoding::DELTA_LENGTH_BYTE_ARRAY, true)?;
        }
        Ok(())
    }

    fn dictionary(&mut self, codes: &Codes) -> Result<()> {
        self.page.clear();
        for text in codes.texts() {
            self.page.extend((text.len() as u32).to_le_bytes());
            self.page.extend(text.as_bytes());
        }
        let bytes = match is_compressed(Values::Codes(codes)) {
            true => self.zstd.compress(self.page)?,
            false => self.page.clone(),
        };
        let page = Page::DictionaryPage {
            buf: bytes.into(),
            num_values: codes.count() as u32,
            encoding: Encoding::PLAIN,
            is_sorted: false,
        };
        let (at, _) = self.write(page, self.page.len())?;
        self.dictionary_at = Some(at);
        Ok(())
    }

    /// Which of the next rows have no value.
    fn nulls_of(&self, rows: usize) -> &'b [u32] {
        let before = |row: usize| self.nulls.partition_point(|null| (*null as usize) < row);
        &self.nulls[before(self.rows)..before(self.rows + rows)]
    }

    /// Begins a page of the next rows, whose values are to follow. Gives their number, how many
    /// have no value, and where the values begin.
    fn begin(&mut self, rows: usize) -> (usize, usize, usize) {
        let nulls = self.nulls_of(rows);
        self.page.clear();
        if self.may_be_null {
            hybrid::pack_levels(self.rows, rows, nulls, self.page);
        }
        (rows, nulls.len(), self.page.len())
    }

    /// Writes the page at hand, to which the values of its rows were added.
    fn end(
        &mut self,
        (rows, nulls, levels): (usize, usize, usize),
        encoding: Encoding,
        may_shrink: bool,
    ) -> Result<()> {
        let length = self.page.len();
        let mut is_compressed = false;
        if may_shrink {
            let values = &self.page[levels..];
            self.packed.clear();
            self.packed
                .reserve(zstd::zstd_safe::compress_bound(values.len()));
            self.zstd.compress_to_buffer(values, self.packed)?;
            is_compressed = self.packed.len() < values.len();
        }
        if is_compressed {
            self.page.truncate(levels);
            self.page.extend_from_slice(self.packed);
        }
        let bytes = Bytes::from(std::mem::take(self.page));
        let page = Page::DataPageV2 {
            buf: bytes.clone(),
            num_values: rows as u32,
            encoding,
            num_nulls: nulls as u32,
            num_rows: rows as u32,
            def_levels_byte_len: levels as u32,
            rep_levels_byte_len: 0,
            is_compressed,
            statistics: None,
        };
        let (at, size) = self.write(page, length)?;
        // Nobody else has them any more, so that this is the same memory.
        *self.page = bytes.into();
        self.data_at.get_or_insert(at);
        self.offsets.append_row_count(rows as i64);
        self.offsets.append_offset_and_size(at as i64, size as i32);
        self.rows += rows;
        Ok(())
    }

    /// Gives where the page lies, and its size.
    fn write(&mut self, page: Page, uncompressed: usize) -> Result<(u64, usize)> {
        let page = CompressedPage::new(page, uncompressed);
        let spec = self.writer.write_page(page)?;
        self.compressed += spec.compressed_size;
        self.uncompressed += spec.uncompressed_size;
        self.written += spec.bytes_written;
        Ok((spec.offset, spec.compressed_size))
    }
}

/// The least value, the greatest, and how many rows have none.
fn statistics(column: Values<'_>) -> Statistics {
    let nulls = Some(column.nulls().len() as u64);
    match column {
        Values::Ints(ints) => {
            let (min, max) = bounds(ints);
            Statistics::int32(min, max, None, nulls, false)
        }
        Values::Longs(longs) => {
            let (min, max) = bounds(longs);
            Statistics::int64(min, max, None, nulls, false)
        }
        Values::Flags(flags) => {
            let (min, max) = bounds(flags);
            Statistics::boolean(min, max, None, nulls, false)
        }
        Values::Texts(texts) => {
            let (min, max) = text_bounds(texts.iter());
            Statistics::byte_array(min, max, None, nulls, false)
        }
        Values::Codes(codes) => {
            let (min, max) = text_bounds(codes.texts().map(str::as_bytes));
            Statistics::byte_array(min, max, None, nulls, false)
        }
    }
}

fn bounds<T: Copy + Ord>(column: &Fixed<T>) -> (Option<T>, Option<T>) {
    let values = || column.values.iter().copied();
    (values().min(), values().max())
}

fn text_bounds<'a>(
    texts: impl Iterator<Item = &'a [u8]>,
) -> (Option<ByteArray>, Option<ByteArray>) {
    let mut bounds: Option<(&[u8], &[u8])> = None;
    for text in texts {
        let (min, max) = bounds.get_or_insert((text, text));
        if compare(text, min) == Ordering::Less {
            *min = text;
        } else if compare(text, max) == Ordering::Greater {
            *max = text;
        }
    }
    let owned = |text: &[u8]| ByteArray::from(text.to_vec());
    let (min, max) = bounds.unzip();
    (min.map(owned), max.map(owned))
}

/// As `cmp`, which is a call that the first bytes mostly spare.
fn compare(one: &[u8], other: &[u8]) -> Ordering {
    let first = |bytes: &[u8]| bytes.first_chunk().map(|first| u64::from_be_bytes(*first));
    match (first(one), first(other)) {
        (Some(first), Some(second)) if first != second => first.cmp(&second),
        _ => one.cmp(other),
    }
}

fn filter(column: Values<'_>) -> Result<Sbbf> {
    let filter =
        |count: usize| Sbbf::new_with_ndv_fpp(count.max(1) as u64, DEFAULT_BLOOM_FILTER_FPP);
    Ok(match column {
        Values::Codes(codes) => {
            let mut filter = filter(codes.count())?;
            codes.texts().for_each(|text| filter.insert(text));
            filter
        }
        Values::Texts(texts) => {
            let mut filter = filter(texts.lengths.len())?;
            texts.iter().for_each(|text| filter.insert(text));
            filter
        }
        Values::Ints(_) | Values::Longs(_) | Values::Flags(_) => filter(0)?,
    })
}

#[cfg(test)]
mod tests;
