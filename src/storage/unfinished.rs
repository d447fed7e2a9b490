//! Uploads by parts that were begun in a bucket and not ended, as by whoever was killed: nobody sees them, and they take room.
//! The driver has no call that lists them.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::StorageError;

/// A page of them, as S3 lists them.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Listed {
    #[serde(default, rename = "Upload")]
    pub uploads: Vec<Unfinished>,
    #[serde(default)]
    is_truncated: bool,
    next_key_marker: Option<String>,
    next_upload_id_marker: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Unfinished {
    pub key: String,
    pub upload_id: String,
    /// When it was begun.
    pub initiated: DateTime<Utc>,
}

/// Behind which the next page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    pub key: String,
    pub upload_id: String,
}

impl Listed {
    pub fn read(answer: &[u8]) -> Result<Self, StorageError> {
        quick_xml::de::from_reader(answer)
            .map_err(|_| StorageError::Refused("its list of uploads can't be read".into()))
    }

    /// None behind the last page, and where it names no place to go on from.
    pub fn next(&self) -> Option<Marker> {
        let key = self.next_key_marker.clone().filter(|_| self.is_truncated)?;
        Some(Marker {
            key,
            upload_id: self.next_upload_id_marker.clone().unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_with_none_with_one_and_with_several() {
        let one = "<Upload><Key>a/b</Key><UploadId>2~x</UploadId><Initiator><ID>i</ID></Initiator>\
                   <StorageClass>STANDARD</StorageClass><Initiated>2026-01-02T03:04:05.000Z</Initiated></Upload>";
        for count in 0..3 {
            let text = format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListMultipartUploadsResult \
                 xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Bucket>b</Bucket><KeyMarker/>\
                 <MaxUploads>1000</MaxUploads><IsTruncated>false</IsTruncated>{}</ListMultipartUploadsResult>",
                one.repeat(count)
            );
            let listed = Listed::read(text.as_bytes()).unwrap();
            assert_eq!(listed.uploads.len(), count);
            for upload in &listed.uploads {
                assert_eq!((&*upload.key, &*upload.upload_id), ("a/b", "2~x"));
                assert_eq!(upload.initiated.timestamp(), 1_767_323_045);
            }
            assert_eq!(listed.next(), None);
        }
    }

    #[test]
    fn a_page_says_where_the_next_begins() {
        let page = |truncated: &str, marker: &str| {
            let text = format!(
                "<ListMultipartUploadsResult><IsTruncated>{truncated}</IsTruncated>{marker}</ListMultipartUploadsResult>"
            );
            Listed::read(text.as_bytes()).unwrap().next()
        };
        let both = "<NextKeyMarker>a</NextKeyMarker><NextUploadIdMarker>1</NextUploadIdMarker>";
        assert_eq!(
            page("true", both),
            Some(Marker {
                key: "a".into(),
                upload_id: "1".into()
            })
        );
        assert_eq!(page("false", both), None);
        assert_eq!(page("true", ""), None);
    }

    #[test]
    fn what_is_no_list_is_an_error() {
        for text in ["", "<html>", "<Error><Code>x</Code>", "\u{feff}{}"] {
            assert!(Listed::read(text.as_bytes()).is_err(), "{text}");
        }
    }
}
