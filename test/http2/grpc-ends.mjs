/**
 * Both ends of gRPC, run by Node: a server whose port is printed, and, once a port to call is read from stdin, a client
 * that makes every kind of call through whatever listens there. Prints one line of JSON with what the client saw.
 */
import { createInterface } from "node:readline";
import grpc from "@grpc/grpc-js";

const bytes = (value) => value;
const method = (name, requestStream, responseStream) => ({
  path: `/test.Echo/${name}`,
  requestStream,
  responseStream,
  requestSerialize: bytes,
  requestDeserialize: bytes,
  responseSerialize: bytes,
  responseDeserialize: bytes,
});
const service = {
  unary: method("Unary", false, false),
  fail: method("Fail", false, false),
  down: method("Down", false, true),
  up: method("Up", true, false),
  both: method("Both", true, true),
  never: method("Never", false, true),
};

const cancelled = { never: 0 };
const server = new grpc.Server({ "grpc.max_receive_message_length": -1 });
server.addService(service, {
  unary(call, done) {
    const trailer = new grpc.Metadata();
    trailer.set("x-trailer", "end");
    done(null, call.request, trailer);
  },
  fail(_call, done) {
    done({ code: grpc.status.FAILED_PRECONDITION, details: "not now: ünready" });
  },
  down(call) {
    const count = call.request.readUInt32BE(0);
    for (let i = 0; i < count; i++) call.write(Buffer.from(`message ${i}`));
    call.end();
  },
  up(call, done) {
    let total = 0;
    call.on("data", (message) => {
      total += message.length;
    });
    call.on("end", () => done(null, Buffer.from(String(total))));
  },
  both(call) {
    call.on("data", (message) => call.write(message));
    call.on("end", () => call.end());
  },
  never(call) {
    call.write(Buffer.from("first"));
    call.on("cancelled", () => {
      cancelled.never++;
    });
  },
});
server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  process.stdout.write(`${port}\n`);
});

const Client = grpc.makeGenericClientConstructor(service, "Echo");

/** Resolves to what a call came to. */
const outcome = (start) =>
  new Promise((resolve) => {
    const seen = { messages: [] };
    start(seen, (error) => {
      seen.code = error?.code ?? 0;
      seen.details = error?.details ?? "";
      resolve(seen);
    });
  });

function streamed(call, seen, done) {
  call.on("data", (message) => seen.messages.push(message.toString()));
  call.on("error", done);
  call.on("status", (status) => status.code === 0 && done(null));
}

async function callAll(port) {
  const client = new Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), {
    "grpc.max_receive_message_length": -1,
  });
  const large = Buffer.alloc(3 * 1024 * 1024, "l");
  const count = Buffer.alloc(4);
  count.writeUInt32BE(500);
  const results = {
    unary: await outcome((seen, done) => {
      const call = client.unary(Buffer.from("hello"), (error, answer) => {
        seen.messages.push(String(answer));
        seen.error = error;
      });
      call.on("status", (status) => {
        seen.trailer = status.metadata.get("x-trailer");
        done(status);
      });
    }),
    large: await outcome((seen, done) => {
      client.unary(large, (error, answer) => {
        seen.messages.push(answer?.equals(large) ? "same" : "different");
        done(error);
      });
    }),
    fail: await outcome((_seen, done) => client.fail(Buffer.alloc(0), done)),
    down: await outcome((seen, done) => streamed(client.down(count), seen, done)),
    up: await outcome((seen, done) => {
      const call = client.up((error, answer) => {
        seen.messages.push(String(answer));
        done(error);
      });
      for (let i = 0; i < 200; i++) call.write(Buffer.alloc(5000, "u"));
      call.end();
    }),
    both: await outcome((seen, done) => {
      const call = client.both();
      streamed(call, seen, done);
      let sent = 0;
      const next = () => (sent < 20 ? call.write(Buffer.from(`ping ${sent++}`)) : call.end());
      call.on("data", next);
      next();
    }),
    deadline: await outcome((seen, done) =>
      streamed(client.never(Buffer.alloc(0), { deadline: Date.now() + 300 }), seen, done),
    ),
    cancel: await outcome((seen, done) => {
      const call = client.never(Buffer.alloc(0));
      streamed(call, seen, done);
      call.on("data", () => call.cancel());
    }),
    many: await Promise.all(
      Array.from({ length: 300 }, (_, at) =>
        outcome((seen, done) => {
          client.unary(Buffer.from(`call ${at}`), (error, answer) => {
            seen.messages.push(String(answer));
            done(error);
          });
        }),
      ),
    ),
  };
  const until = Date.now() + 3000;
  while (cancelled.never < 2 && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 20));
  client.close();
  return { ...results, cancelledAtServer: cancelled.never };
}

createInterface({ input: process.stdin }).on("line", async (line) => {
  if (line === "stop") process.exit(0);
  cancelled.never = 0;
  const [name, port] = line.split(" ");
  if (name === "call") process.stdout.write(`${JSON.stringify(await callAll(port))}\n`);
});
