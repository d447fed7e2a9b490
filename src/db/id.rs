//! Typed ids: a UUIDv7 inside, a TypeID outside (`track_01h455vb4pex5vsknk084sn02q`), and one Rust type for each kind of
//! thing, so that ids cannot be swapped.

use std::fmt;

use type_safe_id::{DynamicType, TypeSafeId};
use uuid::Uuid;

/// What all typed ids have in common.
pub trait TypedId: Copy {
    const PREFIX: &'static str;

    fn from_uuid(uuid: Uuid) -> Self;
    fn uuid(self) -> Uuid;
}

/// Why a text is no id of the kind that was asked for.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum IdError {
    #[error("\"{text}\" is not an ID; IDs look like {expected}_01h455vb4pex5vsknk084sn02q")]
    Malformed {
        text: String,
        expected: &'static str,
    },
    #[error(
        "\"{text}\" is the ID of another kind of object; expected one that begins with \"{expected}_\""
    )]
    OtherKind {
        text: String,
        expected: &'static str,
    },
}

/// An id whose kind only its text tells, as `node(id:)` takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnyId {
    pub prefix: String,
    pub uuid: Uuid,
}

impl AnyId {
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let malformed = || IdError::Malformed {
            text: shortened(text),
            expected: "track",
        };
        let id: TypeSafeId<DynamicType> = text.parse().map_err(|_| malformed())?;
        Ok(Self {
            prefix: id.type_prefix().to_owned(),
            uuid: id.uuid(),
        })
    }
}

pub fn parse<I: TypedId>(text: &str) -> Result<I, IdError> {
    let malformed = || IdError::Malformed {
        text: shortened(text),
        expected: I::PREFIX,
    };
    let id: TypeSafeId<DynamicType> = text.parse().map_err(|_| malformed())?;
    if id.type_prefix() != I::PREFIX {
        return Err(IdError::OtherKind {
            text: shortened(text),
            expected: I::PREFIX,
        });
    }
    Ok(I::from_uuid(id.uuid()))
}

pub fn write<I: TypedId>(id: I, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    // The prefixes are constants of ours, checked by a test; a text is always made.
    match DynamicType::new(I::PREFIX) {
        Ok(prefix) => write!(out, "{}", TypeSafeId::from_type_and_uuid(prefix, id.uuid())),
        Err(_) => Err(fmt::Error),
    }
}

/// An id of a kind that has no type of its own; none where the prefix is none.
pub fn typed(prefix: &str, uuid: Uuid) -> Option<String> {
    let prefix = DynamicType::new(prefix).ok()?;
    Some(TypeSafeId::from_type_and_uuid(prefix, uuid).to_string())
}

/// An error repeats what it was about, but not a megabyte of it.
fn shortened(text: &str) -> String {
    text.chars().take(64).collect()
}

/// Declares a typed id: `typed_id!(TrackId, "track", "A track.")`.
#[macro_export]
macro_rules! typed_id {
    ($name:ident, $prefix:literal) => {
        #[doc = concat!("`", $prefix, "_…`")]
        #[derive(
            Debug,
            Clone,
            Copy,
            PartialEq,
            Eq,
            PartialOrd,
            Ord,
            Hash,
            serde::Serialize,
            serde::Deserialize,
            diesel::expression::AsExpression,
            diesel::deserialize::FromSqlRow,
        )]
        #[serde(transparent)]
        #[diesel(sql_type = diesel::sql_types::Uuid)]
        pub struct $name(pub uuid::Uuid);

        impl $crate::db::id::TypedId for $name {
            const PREFIX: &'static str = $prefix;

            fn from_uuid(uuid: uuid::Uuid) -> Self {
                Self(uuid)
            }

            fn uuid(self) -> uuid::Uuid {
                self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                $crate::db::id::write(*self, out)
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::db::id::IdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $crate::db::id::parse(text)
            }
        }

        impl diesel::deserialize::FromSql<diesel::sql_types::Uuid, diesel::pg::Pg> for $name {
            fn from_sql(bytes: diesel::pg::PgValue<'_>) -> diesel::deserialize::Result<Self> {
                let uuid = <uuid::Uuid as diesel::deserialize::FromSql<
                    diesel::sql_types::Uuid,
                    diesel::pg::Pg,
                >>::from_sql(bytes)?;
                Ok(Self(uuid))
            }
        }

        impl diesel::serialize::ToSql<diesel::sql_types::Uuid, diesel::pg::Pg> for $name {
            fn to_sql<'b>(
                &'b self,
                out: &mut diesel::serialize::Output<'b, '_, diesel::pg::Pg>,
            ) -> diesel::serialize::Result {
                <uuid::Uuid as diesel::serialize::ToSql<
                                                                            diesel::sql_types::Uuid,
                                                                            diesel::pg::Pg,
                                                                        >>::to_sql(&self.0, out)
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    typed_id!(ThingId, "thing");

    const UUID: Uuid = Uuid::from_u128(0x0188_bac7_4afa_78aa_bc3b_bd1e_ef28_d881);

    #[test]
    fn an_id_reads_as_it_was_written() {
        let text = ThingId(UUID).to_string();
        assert_eq!(text, "thing_01h2xcejqtf2nbrexx3vqjhp41");
        assert_eq!(text.parse(), Ok(ThingId(UUID)));
        assert_eq!(
            AnyId::parse(&text),
            Ok(AnyId {
                prefix: "thing".into(),
                uuid: UUID
            })
        );
    }

    #[test]
    fn what_is_no_id_is_told_apart_from_an_id_of_another_kind() {
        for text in [
            "",
            "thing",
            "thing_",
            "_01h2xcejqtf2nbrexx3vqjhp41",
            "thing_01h2",
            "thing_81h2xcejqtf2nbrexx3vqjhp41",
        ] {
            assert!(
                matches!(
                    text.parse::<ThingId>(),
                    Err(IdError::Malformed { .. } | IdError::OtherKind { .. })
                ),
                "{text}"
            );
        }
        assert!(matches!(
            "track_01h2xcejqtf2nbrexx3vqjhp41".parse::<ThingId>(),
            Err(IdError::OtherKind {
                expected: "thing",
                ..
            })
        ));
    }

    #[test]
    fn a_long_text_is_not_repeated_whole() {
        let Err(error) = "x".repeat(100_000).parse::<ThingId>() else {
            panic!("taken as an ID")
        };
        assert!(error.to_string().len() < 200);
    }
}
