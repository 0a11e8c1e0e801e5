//! Buckets: `s3://bucket/folder` as a data folder.
//!
//! Owns telling deltalake how to reach one, and how patiently. Leaves credentials, region and
//! endpoint to the environment, in the variables that every S3 client knows (`AWS_ACCESS_KEY_ID`,
//! `AWS_REGION`, `AWS_ENDPOINT_URL`, …), what is wrong with them to `bucket`, and putting an entry
//! only if there is none to the store (`If-None-Match`).
//!
//! Invariant: a store that does not answer is an error within two minutes, and a bucket that can't
//! be used is one within seconds. Each store has connections of its own, since these stand still
//! with the runtime that made them.

use std::sync::{Arc, Once};
use std::time::Duration;

use deltalake::logstore::{
    LogStore, LogStoreFactory, ObjectStoreFactory, ObjectStoreRef, StorageConfig, default_logstore,
    logstore_factories, object_store_factories,
};
use deltalake::{DeltaResult, DeltaTableError};
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey as Key};
use object_store::path::Path;
use object_store::{BackoffConfig, ClientConfigKey, RetryConfig};
use url::Url;

/// The scheme of such a URL.
pub(super) const SCHEME: &str = "s3";

/// How long a request may take with its body, unless `AWS_TIMEOUT` says otherwise: a piece of an
/// upload passes at 2 Mbit/s.
const TIMEOUT: &str = "20 seconds";
/// How long connecting may take, unless `AWS_CONNECT_TIMEOUT` says otherwise.
const CONNECT_TIMEOUT: &str = "5 seconds";
/// A request that failed is sent again for so long; the commit has a patience of its own.
const TRIED_AGAIN: Duration = Duration::from_secs(30);

/// The same when somebody waits for the answer: whether a bucket can be used at all, and whether
/// this machine has a role.
const QUICK_TIMEOUT: &str = "5 seconds";
const QUICK_CONNECT_TIMEOUT: &str = "2 seconds";
const QUICK_TRIED_AGAIN: Duration = Duration::from_secs(3);

/// How long an answer is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// What passes within half a minute is not seen.
    Long,
    /// The answer comes within seconds.
    Short,
}

/// Makes `s3://` known to deltalake, once.
pub(super) fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if let Ok(scheme) = Url::parse("s3://") {
            object_store_factories().insert(scheme.clone(), Arc::new(S3));
            logstore_factories().insert(scheme, Arc::new(S3));
        }
    });
}

/// The whole bucket of `url`, as the environment says; nothing is asked of it yet.
pub(super) fn bucket(url: &Url, patience: Patience) -> object_store::Result<AmazonS3> {
    let settings = settings();
    let mut builder = patient(settings.clone(), patience).with_url(url.as_str());
    if !has(&settings, Key::AccessKeyId) && !has(&settings, Key::SecretAccessKey) {
        // A role's: whoever gives them is near, or there is none.
        let quick = patient(settings, Patience::Short).with_url(url.as_str());
        builder = builder.with_credentials(Arc::clone(quick.build()?.credentials()));
    }
    builder.build()
}

/// What the environment says; an empty variable is an absent one.
pub(super) fn settings() -> AmazonS3Builder {
    let names = std::env::vars_os().filter_map(|(name, value)| {
        let name = name.to_str()?.to_ascii_lowercase();
        let value = value.to_str().filter(|value| !value.is_empty())?;
        let key = name.starts_with("aws_").then(|| name.parse::<Key>().ok())?;
        Some((key?, value.to_owned()))
    });
    let timeouts = AmazonS3Builder::new()
        .with_config(Key::Client(ClientConfigKey::Timeout), TIMEOUT)
        .with_config(
            Key::Client(ClientConfigKey::ConnectTimeout),
            CONNECT_TIMEOUT,
        );
    names.fold(timeouts, |builder, (key, value)| {
        builder.with_config(key, value)
    })
}

pub(super) fn has(settings: &AmazonS3Builder, key: Key) -> bool {
    settings.get_config_value(&key).is_some()
}

fn patient(settings: AmazonS3Builder, patience: Patience) -> AmazonS3Builder {
    let retry = |for_long, longest| RetryConfig {
        backoff: BackoffConfig {
            max_backoff: longest,
            ..BackoffConfig::default()
        },
        // More than come in that time, which alone is the limit.
        max_retries: 1_000,
        retry_timeout: for_long,
    };
    match patience {
        Patience::Long => settings.with_retry(retry(TRIED_AGAIN, Duration::from_secs(3))),
        Patience::Short => settings
            .with_config(Key::Client(ClientConfigKey::Timeout), QUICK_TIMEOUT)
            .with_config(
                Key::Client(ClientConfigKey::ConnectTimeout),
                QUICK_CONNECT_TIMEOUT,
            )
            .with_retry(retry(QUICK_TRIED_AGAIN, Duration::from_secs(1))),
    }
}

struct S3;

impl ObjectStoreFactory for S3 {
    fn parse_url_opts(
        &self,
        url: &Url,
        _config: &StorageConfig,
    ) -> DeltaResult<(ObjectStoreRef, Path)> {
        let store = bucket(url, Patience::Long)?;
        let path =
            Path::from_url_path(url.path()).map_err(|error| DeltaTableError::ObjectStore {
                source: error.into(),
            })?;
        Ok((Arc::new(store), path))
    }
}

impl LogStoreFactory for S3 {
    fn with_options(
        &self,
        prefixed_store: ObjectStoreRef,
        root_store: ObjectStoreRef,
        location: &Url,
        options: &StorageConfig,
    ) -> DeltaResult<Arc<dyn LogStore>> {
        Ok(default_logstore(
            prefixed_store,
            root_store,
            location,
            options,
        ))
    }
}
