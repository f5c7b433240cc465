/** Fields that several packets and TLVs have: names as a length byte and text, incarnations as eight bytes, epochs, flags. */

import { invariant } from '../assert.ts';
import type { ByteReader } from '../byte-reader.ts';
import type { ByteWriter } from '../byte-writer.ts';
import { fromHex, fromUtf8, toHex, toUtf8 } from '../bytes.ts';
import { isName } from '../message/address.ts';
import type { Epoch } from '../message/identity.ts';
import { HANDLE_MAX, INCARNATION_BYTES, NUMBER_MAX } from './packet-layout.ts';

/** u8 length, text. */
export function writeText(writer: ByteWriter, text: string): void {
  const bytes = toUtf8(text);
  writer.u8(bytes.length).bytes(bytes);
}

export function readText(reader: ByteReader): string | undefined {
  const length = reader.u8();
  const bytes = length === undefined ? undefined : reader.bytes(length);
  return bytes && fromUtf8(bytes);
}

/** A text that is the name of a node; undefined for any other. */
export function readName(reader: ByteReader): string | undefined {
  const text = readText(reader);
  return text !== undefined && isName(text) ? text : undefined;
}

/** 16 hex digits, in the order of their bytes. */
export function writeIncarnation(writer: ByteWriter, incarnation: string): void {
  writer.bytes(incarnationBytes(incarnation));
}

export function incarnationBytes(incarnation: string): Uint8Array {
  const bytes = fromHex(incarnation);
  invariant(bytes?.length === INCARNATION_BYTES, 'an incarnation has 16 hex digits');
  return bytes;
}

export function readIncarnation(reader: ByteReader): string | undefined {
  const bytes = reader.bytes(INCARNATION_BYTES);
  return bytes && toHex(bytes);
}

export function writeEpoch(writer: ByteWriter, epoch: Epoch): void {
  writer.u32(epoch.counter).u32(epoch.random);
}

export function readEpoch(reader: ByteReader): Epoch | undefined {
  const counter = reader.u32();
  const random = reader.u32();
  return counter === undefined || random === undefined ? undefined : { counter, random };
}

/** The number of a message, or a cursor: from 1. */
export function writeNumber(writer: ByteWriter, number: number): void {
  invariant(number >= 1 && number <= NUMBER_MAX, 'a number is from 1 to 2^48 - 1');
  writer.varint(number);
}

export function readNumber(reader: ByteReader): number | undefined {
  const number = reader.varint();
  return number === undefined || number < 1 || number > NUMBER_MAX ? undefined : number;
}

export function writeHandle(writer: ByteWriter, handle: number): void {
  invariant(handle <= HANDLE_MAX, 'a handle has 16 bits');
  writer.varint(handle);
}

export function readHandle(reader: ByteReader): number | undefined {
  const handle = reader.varint();
  return handle === undefined || handle > HANDLE_MAX ? undefined : handle;
}

/** A receiver's word about a stream: everything below `cursor` is durable; so many bytes of payload may be outstanding above it. */
export interface StreamCursor {
  readonly handle: number;
  readonly cursor: number;
  readonly credit: number;
}

/** As in the TLV CURSOR, so in the records of an ACK. */
export function writeCursor(writer: ByteWriter, { handle, cursor, credit }: StreamCursor): void {
  writeHandle(writer, handle);
  writeNumber(writer, cursor);
  writer.varint(credit);
}

export function readCursor(reader: ByteReader): StreamCursor | undefined {
  const handle = readHandle(reader);
  const cursor = readNumber(reader);
  const credit = reader.varint();
  return handle === undefined || cursor === undefined || credit === undefined ? undefined : { handle, cursor, credit };
}

export function writeFixed(writer: ByteWriter, bytes: Uint8Array, length: number): void {
  invariant(bytes.length === length, `a field of ${length} bytes has them all`);
  writer.bytes(bytes);
}
