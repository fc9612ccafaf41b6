import type { S3Client } from '@aws-sdk/client-s3';
import { errorCode, OutputError, UsageError } from '../model/errors.ts';
import { excerpt, printable } from '../model/printable.ts';
import { isShardName, type ShardSegment } from '../model/result-line.ts';
import {
  newShardName,
  type SegmentPlace,
  ShardFileWriter,
  ShardReader,
  type ShardSource,
  type ShardWriter,
  sha256Of,
} from './shards.ts';

type S3 = typeof import('@aws-sdk/client-s3');

const BUCKET_URL = /^s3:\/\/([^/]+)\/?(.*?)\/*$/;

/** How long a request may take to connect, and to send the next bytes of its response. */
const REQUEST_TIMEOUTS = { connectionTimeout: 10_000, socketTimeout: 60_000, requestTimeout: 120_000 };

/** How many objects are looked at to find a shard. */
const MAX_LISTED = 100;

/** Opens a directory or a bucket, as `--store` names it, for reading. */
export async function openShardReader(place: string): Promise<ShardReader> {
  return new ShardReader(isBucketUrl(place) ? await ShardBucket.open(place) : place);
}

/** Opens a directory or a bucket, as `--store` names it, for one worker. */
export async function openShardWriter(
  place: string,
  worker: string,
  { isPrivate }: { readonly isPrivate: boolean },
): Promise<ShardWriter> {
  if (!isBucketUrl(place)) return ShardFileWriter.open(place, worker, { isPrivate });
  return new ShardBucketWriter(await ShardBucket.open(place), worker);
}

function isBucketUrl(place: string): boolean {
  return place.startsWith('s3://');
}

/**
 * Shards in a bucket of S3, or of a server that speaks the same protocol. Each segment is an object of its own. The address of
 * the server, the region and the credentials come from where all AWS tools look for them.
 */
class ShardBucket implements ShardSource {
  readonly name: string;
  readonly #s3: S3;
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #prefix: string;

  private constructor(url: string, s3: S3) {
    const [, bucket = '', prefix = ''] = BUCKET_URL.exec(url) ?? [];
    this.name = url;
    this.#bucket = bucket;
    this.#prefix = prefix === '' ? '' : `${prefix}/`;
    this.#s3 = s3;
    this.#client = new s3.S3Client({
      // Other servers have no host name for each bucket.
      forcePathStyle: true,
      // Some of them refuse these checksums. The SHA-256 of each segment is checked when it is read.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      requestHandler: REQUEST_TIMEOUTS,
    });
  }

  /** Throws a `UsageError` when the bucket, the region or the credentials are missing, or are refused. */
  static async open(url: string): Promise<ShardBucket> {
    const bucket = new ShardBucket(url, await loadS3());
    await bucket.#check().catch((error: unknown) => {
      bucket.close();
      throw error;
    });
    return bucket;
  }

  /** Throws an `OutputError`. */
  async write(name: string, bytes: Uint8Array): Promise<void> {
    const { PutObjectCommand } = this.#s3;
    const object = { Bucket: this.#bucket, Key: this.#prefix + name, Body: bytes };
    try {
      await this.#client.send(new PutObjectCommand({ ...object, ContentType: 'application/gzip' }));
    } catch (error) {
      throw new OutputError(`cannot write to "${excerpt(`${this.name}/${name}`, 2000)}": ${reason(error)}`, {
        cause: error,
      });
    }
  }

  async readBytes({ shard, offset, bytes }: ShardSegment): Promise<Buffer> {
    const { GetObjectCommand } = this.#s3;
    const object = { Bucket: this.#bucket, Key: this.#prefix + shard };
    const Range = `bytes=${offset}-${offset + bytes - 1}`;
    try {
      const { Body, ContentLength = 0 } = await this.#client.send(new GetObjectCommand({ ...object, Range }));
      // A server that ignores the range sends the whole object, of any length.
      if (Body === undefined || ContentLength > bytes) return Buffer.alloc(0);
      return Buffer.from(await Body.transformToByteArray());
    } catch (error) {
      if (isNamed(error, 'InvalidRange')) return Buffer.alloc(0);
      const code = isNamed(error, 'NoSuchKey') ? 'ENOENT' : (errorCode(error) ?? 'EIO');
      throw Object.assign(new Error(reason(error), { cause: error }), { code });
    }
  }

  async hasAny(): Promise<boolean> {
    const { ListObjectsV2Command } = this.#s3;
    const list = { Bucket: this.#bucket, Prefix: this.#prefix, MaxKeys: MAX_LISTED };
    const { Contents = [] } = await this.#client.send(new ListObjectsV2Command(list));
    return Contents.some(({ Key = '' }) => isShardName(Key.slice(this.#prefix.length)));
  }

  close(): void {
    this.#client.destroy();
  }

  async #check(): Promise<void> {
    const { HeadBucketCommand } = this.#s3;
    try {
      await this.#client.send(new HeadBucketCommand({ Bucket: this.#bucket }));
    } catch (error) {
      // A user who may only write or read objects is refused here.
      if (isNamed(error, '403')) return;
      const fault = isNamed(error, 'NotFound')
        ? 'there is no such bucket'
        : `${reason(error)}; set AWS_REGION, the credentials and, for other servers than those of AWS, AWS_ENDPOINT_URL`;
      throw new UsageError(`cannot use --store ${excerpt(this.name)}: ${fault}`, { cause: error });
    }
  }
}

/** Writes each segment as an object. */
class ShardBucketWriter implements ShardWriter {
  readonly #bucket: ShardBucket;
  readonly #worker: string;
  readonly #pending = new Set<Promise<void>>();

  constructor(bucket: ShardBucket, worker: string) {
    this.#bucket = bucket;
    this.#worker = worker;
  }

  async append(bytes: Uint8Array): Promise<SegmentPlace> {
    const shard = newShardName(this.#worker);
    const writing = this.#bucket.write(shard, bytes);
    this.#pending.add(writing);
    await writing.finally(() => this.#pending.delete(writing));
    return { shard, offset: 0, bytes: bytes.length, sha256: sha256Of(bytes) };
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#pending);
    this.#bucket.close();
  }
}

/** Loads the client of S3, an optional dependency. Throws a `UsageError` with the command to install it when it is missing. */
async function loadS3(): Promise<S3> {
  try {
    return await import('@aws-sdk/client-s3');
  } catch (error) {
    if (!/MODULE_NOT_FOUND$/.test(errorCode(error) ?? '')) throw error;
    throw new UsageError(
      'the package for --store s3://… is not installed: run "npm install @aws-sdk/client-s3@3"',
      { cause: error },
    );
  }
}

/** Whether this is an error of the server with this name or status. */
function isNamed(error: unknown, name: string): boolean {
  if (!(error instanceof Error)) return false;
  const status = '$metadata' in error ? Object(error.$metadata).httpStatusCode : undefined;
  return error.name === name || String(status) === name;
}

function reason(error: unknown): string {
  if (!(error instanceof Error)) return printable(String(error), 300);
  const text = error.message === '' || error.message === 'UnknownError' ? error.name : error.message;
  return printable(text, 300);
}
