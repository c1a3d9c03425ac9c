/** Messages as Triton's HTTP interface shows them: field names as in the .proto, all fields present, 64-bit integers as numbers. */
import {
  ScalarType,
  toJson,
  type DescField,
  type DescMessage,
  type JsonValue,
  type MessageShape,
} from '@bufbuild/protobuf';

export function messageJson<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): JsonValue {
  return numbersIn(schema, toJson(schema, message, { useProtoFieldName: true, alwaysEmitImplicit: true }));
}

const WIDE: ReadonlySet<ScalarType> = new Set([
  ScalarType.INT64,
  ScalarType.UINT64,
  ScalarType.SINT64,
  ScalarType.FIXED64,
  ScalarType.SFIXED64,
]);

function numbersIn(schema: DescMessage, json: JsonValue): JsonValue {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return json;
  const fields = new Map(schema.fields.map((field) => [field.name, field]));
  return Object.fromEntries(
    Object.entries(json).map(([key, value]) => {
      const field = fields.get(key);
      return [key, field === undefined ? value : fieldValue(field, value)];
    }),
  );
}

function fieldValue(field: DescField, value: JsonValue): JsonValue {
  const one = (item: JsonValue): JsonValue => {
    if (field.message) return numbersIn(field.message, item);
    return field.scalar !== undefined && WIDE.has(field.scalar) ? Number(item) : item;
  };
  if (field.fieldKind === 'list' && Array.isArray(value)) return value.map(one);
  if (field.fieldKind === 'map' && typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, one(item)]));
  }
  return one(value);
}
