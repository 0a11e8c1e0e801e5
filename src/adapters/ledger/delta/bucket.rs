//! Whether a bucket can be used, and if not, what to set.
//!
//! Owns telling a missing bucket, wrong credentials, a wrong region and a wrong endpoint apart.
//! Leaves reaching the bucket to `s3`.
//!
//! Invariant: the answer comes within seconds, and names the variable to look at.

use std::error::Error as StdError;
use std::fmt;

use object_store::ObjectStore;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey as Key};
use object_store::client::HttpError;
use object_store::path::Path;
use url::Url;

use super::Error;
use super::s3::{self, Patience, SCHEME};

/// Why a bucket can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    HalfKeys,
    Setting,
    NoCredentials,
    PlainHttp,
    Silent,
    NoBucket,
    Denied,
    OtherRegion,
    Failing,
    NoS3,
}

impl fmt::Display for Trouble {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::HalfKeys => {
                "one half of a key is missing: set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            }
            Self::Setting => "a setting can't be read: look at the AWS_… variables",
            Self::NoCredentials => {
                "there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or \
                 give this machine a role (files in ~/.aws are not read)"
            }
            Self::PlainHttp => {
                "it is not encrypted: set AWS_ALLOW_HTTP=true, or give an https:// address in \
                 AWS_ENDPOINT_URL"
            }
            Self::Silent => {
                "nobody answers there: set AWS_ENDPOINT_URL, or for Amazon's own AWS_REGION, and \
                 look at the network"
            }
            Self::NoBucket => {
                "there is no such bucket: make it, or set AWS_ENDPOINT_URL and AWS_REGION to where \
                 it is"
            }
            Self::Denied => {
                "the credentials are refused: look at AWS_ACCESS_KEY_ID and \
                 AWS_SECRET_ACCESS_KEY, and at what they may do in this bucket"
            }
            Self::OtherRegion => "it is in another region: set AWS_REGION",
            Self::Failing => "the server fails: try again when it is well",
            Self::NoS3 => "what answers there is no S3 server: look at AWS_ENDPOINT_URL",
        })
    }
}

/// Makes sure that the bucket of a data folder can be read; any other folder passes.
///
/// # Errors
///
/// [`Error::Bucket`] says what to set.
pub(super) async fn reach(data: &Url) -> Result<(), Error> {
    if data.scheme() != SCHEME {
        return Ok(());
    }
    let settings = s3::settings();
    let bucket = s3::bucket(data, Patience::Short).map_err(|error| unset(data, error))?;
    let refused = |trouble, source| refusal(&settings, data, trouble, source);
    let unsigned = settings.get_config_value(&Key::SkipSignature);
    if unsigned.as_deref() == Some("false")
        && let Err(error) = bucket.credentials().get_credential().await
    {
        return Err(refused(Trouble::NoCredentials, error));
    }
    let folder = Path::from_url_path(data.path());
    let folder = folder.map_err(|error| refused(Trouble::Setting, error.into()))?;
    let listed = bucket.list_with_delimiter(Some(&folder)).await;
    listed.map_err(|error| refused(trouble(&error), error))?;
    Ok(())
}

/// Why the environment does not even say where to look for the bucket of `data`.
pub(super) fn unset(data: &Url, error: object_store::Error) -> Error {
    let settings = s3::settings();
    let is_half = s3::has(&settings, Key::AccessKeyId) != s3::has(&settings, Key::SecretAccessKey);
    let trouble = match is_half {
        true => Trouble::HalfKeys,
        false => Trouble::Setting,
    };
    refusal(&settings, data, trouble, error)
}

fn refusal(
    settings: &AmazonS3Builder,
    data: &Url,
    trouble: Trouble,
    source: object_store::Error,
) -> Error {
    let source: Box<dyn StdError + Send + Sync> = match trouble {
        Trouble::Silent | Trouble::Failing => Box::new(source),
        // Words alone, for whoever tries again goes by the library's errors, and a listing's are
        // all of one kind.
        _ => said(&source.to_string()).into(),
    };
    Error::Bucket {
        bucket: data.as_str().trim_end_matches('/').to_owned(),
        endpoint: endpoint(settings),
        trouble,
        source,
    }
}

/// What the server itself says, when it is one of S3.
fn said(text: &str) -> String {
    let within = |tag: &str| {
        let (_, rest) = text.split_once(&format!("<{tag}>"))?;
        rest.split_once(&format!("</{tag}>"))
            .map(|(inner, _)| inner)
    };
    match (within("Code"), within("Message")) {
        (Some(code), Some(message)) => format!("the server says {code}: {message}"),
        _ => text.to_owned(),
    }
}

/// Where the bucket is looked for.
fn endpoint(settings: &AmazonS3Builder) -> String {
    let set = |key| settings.get_config_value(&key);
    let named = set(Key::S3Endpoint).or_else(|| set(Key::Endpoint));
    named.unwrap_or_else(|| {
        let region = set(Key::Region).unwrap_or_else(|| "us-east-1".to_owned());
        format!("https://s3.{region}.amazonaws.com")
    })
}

fn trouble(error: &object_store::Error) -> Trouble {
    let mut causes: Option<&(dyn StdError + 'static)> = Some(error);
    let mut is_answered = true;
    while let Some(cause) = causes {
        is_answered &= !cause.is::<HttpError>();
        if cause.to_string().contains("URL scheme is not allowed") {
            return Trouble::PlainHttp;
        }
        causes = cause.source();
    }
    if !is_answered {
        return Trouble::Silent;
    }
    // The library tells the status, and the server's own code, in its text alone.
    let text = error.to_string();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if says(&["<Code>NoSuchBucket"]) {
        Trouble::NoBucket
    } else if says(&[
        "redirect",
        "status code: 30",
        "AuthorizationHeaderMalformed",
    ]) {
        Trouble::OtherRegion
    } else if says(&["status code: 401", "status code: 403", "status code: 400"]) {
        Trouble::Denied
    } else if says(&["status code: 5", "status code: 429"]) {
        Trouble::Failing
    } else {
        Trouble::NoS3
    }
}
