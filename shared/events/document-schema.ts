/**
 * The data of Firestore's document events, as protobufjs takes a schema. Names and numbers are those of the public definition
 * https://github.com/googleapis/google-cloudevents/blob/main/proto/google/events/cloud/firestore/v1/data.proto; what Berth does not read
 * (the update mask) is left out, and skipped when it arrives.
 *
 * @module
 */
import protobuf from 'protobufjs/light.js';

const schema = {
  nested: {
    DocumentEventData: {
      fields: { value: { type: 'Document', id: 1 }, old_value: { type: 'Document', id: 2 } },
    },
    Document: {
      fields: {
        name: { type: 'string', id: 1 },
        fields: { keyType: 'string', type: 'Value', id: 2 },
        create_time: { type: 'Timestamp', id: 3 },
        update_time: { type: 'Timestamp', id: 4 },
      },
    },
    Value: {
      oneofs: {
        value_type: {
          oneof: [
            'null_value',
            'boolean_value',
            'integer_value',
            'double_value',
            'timestamp_value',
            'string_value',
            'bytes_value',
            'reference_value',
            'geo_point_value',
            'array_value',
            'map_value',
          ],
        },
      },
      fields: {
        boolean_value: { type: 'bool', id: 1 },
        integer_value: { type: 'int64', id: 2 },
        double_value: { type: 'double', id: 3 },
        reference_value: { type: 'string', id: 5 },
        map_value: { type: 'MapValue', id: 6 },
        geo_point_value: { type: 'LatLng', id: 8 },
        array_value: { type: 'ArrayValue', id: 9 },
        timestamp_value: { type: 'Timestamp', id: 10 },
        null_value: { type: 'int32', id: 11 },
        string_value: { type: 'string', id: 17 },
        bytes_value: { type: 'bytes', id: 18 },
      },
    },
    ArrayValue: { fields: { values: { rule: 'repeated', type: 'Value', id: 1 } } },
    MapValue: { fields: { fields: { keyType: 'string', type: 'Value', id: 1 } } },
    LatLng: { fields: { latitude: { type: 'double', id: 1 }, longitude: { type: 'double', id: 2 } } },
    Timestamp: { fields: { seconds: { type: 'int64', id: 1 }, nanos: { type: 'int32', id: 2 } } },
  },
};

/** Also for tests, which encode what Firestore would send. */
export const documentEventType = protobuf.Root.fromJSON(schema).lookupType('DocumentEventData');
