//! Amounts in a manifest: however they are added up, a number can hold the sum.

use serde_json::Value;

/// Fields that say how much there is of something, in a manifest itself or in the detail of any kind.
const AMOUNTS: [&str; 11] = [
    "bytes",
    "content_bytes",
    "count",
    "deletes",
    "length",
    "offset",
    "records",
    "rows",
    "shared_bytes",
    "shared_content_bytes",
    "stored_bytes",
];

/// More than all amounts of any backup together. Each byte is counted some times: in its frame, table, part and total.
const SUM_MAX: u128 = i64::MAX as u128;

/// What is wrong with the amounts of a document, if anything. Only a forged one has such: readers that add its numbers up
/// would show others, or fail.
pub(super) fn fault(document: &Value) -> Option<String> {
    (sum(document) > SUM_MAX).then(|| "its sizes and counts are larger than those of any backup".to_owned())
}

/// The sum of all amounts. It cannot overflow: a manifest has at most some millions.
fn sum(value: &Value) -> u128 {
    match value {
        Value::Array(items) => items.iter().map(sum).sum(),
        Value::Object(fields) => fields.iter().map(|(name, value)| field(name, value)).sum(),
        _ => 0,
    }
}

fn field(name: &str, value: &Value) -> u128 {
    match value.as_u64() {
        Some(amount) if AMOUNTS.contains(&name) => amount.into(),
        _ => sum(value),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::digest::Sha256Digest;
    use crate::error::FormatError;
    use crate::key::Key;
    use crate::manifest::{Codec, Kind, Manifest, Part};

    fn read(stored_bytes: u64, detail: Value) -> Result<Manifest, FormatError> {
        let at: Key = "pg/shop/manifest.json".parse().unwrap();
        let mut manifest = Manifest::new(Kind::Pg, "shop", Timestamp::UNIX_EPOCH, detail);
        for name in ["a", "b"] {
            manifest.parts.push(Part {
                key: at.join(name).unwrap(),
                role: "data".to_owned(),
                content_sha256: None,
                content_bytes: 0,
                stored_sha256: Sha256Digest::of(b""),
                stored_bytes,
                codec: Codec::None,
                offset: None,
                length: None,
            });
        }
        Manifest::from_bytes(&at, &manifest.to_bytes().unwrap())
    }

    #[test]
    fn a_manifest_whose_amounts_no_number_can_hold_is_refused() {
        let whole = read(1 << 50, json!({})).unwrap();
        assert_eq!(whole.stored_bytes(), 1 << 51);
        for forged in [read(u64::MAX, json!({})), read(0, json!({"tables": [{"rows": u64::MAX}, {"rows": 1}]}))] {
            let error = forged.unwrap_err();
            assert!(matches!(&error, FormatError::Invalid { what, .. } if what.contains("larger than")), "{error}");
        }
    }

    #[test]
    fn values_that_are_no_amounts_may_be_large() {
        read(0, json!({"sequences": [{"last_value": i64::MAX}, {"last_value": i64::MAX}, {"last_value": -1}]}))
            .unwrap();
    }
}
