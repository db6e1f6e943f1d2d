import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findProgram, runProgram } from './find-program.ts';
import { guardian } from './guardian.ts';

/** A certificate for this machine that signs itself, and its key, both in PEM. */
export interface Certificate {
  readonly certificate: string;
  readonly key: string;
}

/** What a certificate is good for. */
export interface CertificateOptions {
  /** Whether for the addresses of this machine too, and not only for its name. @default true */
  readonly addresses?: boolean | undefined;
}

/** Makes one that is valid for a day. @throws {Error} if there is no `openssl` on PATH. */
export async function makeCertificate({ addresses = true }: CertificateOptions = {}): Promise<Certificate> {
  const openssl = await findProgram('openssl');
  if (openssl === undefined) throw new Error('Cannot make a certificate: there is no openssl on PATH');
  const watch = await guardian();
  const folder = await watch.makeFolder();
  try {
    const names = `subjectAltName=DNS:localhost${addresses ? ',IP:127.0.0.1' : ''}`;
    const subject = ['-subj', '/CN=nq-testbed', '-addext', names];
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    const to = ['-keyout', join(folder, 'tls.key'), '-out', join(folder, 'tls.crt')];
    await runProgram(openssl, ['req', '-x509', '-days', '1', ...key, ...subject, ...to]);
    const [certificate, privateKey] = await Promise.all(
      ['tls.crt', 'tls.key'].map((file) => readFile(join(folder, file), 'utf8')),
    );
    return { certificate: certificate as string, key: privateKey as string };
  } finally {
    await watch.removeFolder(folder);
  }
}
