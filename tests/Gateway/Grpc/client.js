// Drives the service with Node's own gRPC client. Arguments: address, folder of the .proto files. Prints what it saw, as one JSON object.
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const [address, protos] = process.argv.slice(2);
const load = file => grpc.loadPackageDefinition(
  loader.loadSync(file, { includeDirs: [protos], keepCase: true, longs: Number, enums: String, defaults: true, oneofs: true }));
const { hearth, grpc: health } = { ...load('hearth.proto'), ...load('health.proto') };
const chat = new hearth.v1.Chat(address, grpc.credentials.createInsecure());
const hi = { conversation: 'conv_1', messages: [{ role: 'ROLE_USER', content: 'Hi' }] };

const unary = (client, method, request, options = {}) => new Promise(resolve =>
  client[method](request, new grpc.Metadata(), options, (error, answer) => resolve(error ? failure(error) : answer)));

const failure = error => ({
  code: error.code, details: error.details, cause: error.metadata?.get('hearth-code')[0], field: error.metadata?.get('hearth-param')[0],
});

const stream = (method, request, options = {}, onEvent = () => {}) => new Promise(resolve => {
  const events = [];
  const call = chat[method](request, new grpc.Metadata(), options);
  call.on('data', event => { events.push(event); onEvent(call, event); });
  call.on('error', error => resolve({ events, ...failure(error) }));
  call.on('end', () => resolve({ events, code: 0 }));
});

(async () => {
  const seen = {};
  seen.health = await unary(new health.health.v1.Health(address, grpc.credentials.createInsecure()), 'Check', {});
  seen.created = await unary(chat, 'CreateConversation', {});
  seen.turn = await stream('RunTurn', { ...hi, turn: 't1', generation: { temperature: 0, seed: 3, stop: ['\n'] } });
  seen.resumed = await stream('ResumeTurn', { conversation: 'conv_1', turn: 'live', from_event: 2 });
  seen.cancelled = await unary(chat, 'CancelTurn', { conversation: 'conv_1', turn: 'live' });
  seen.described = await unary(chat, 'DescribeConversation', { conversation: 'c' });
  seen.migrated = await unary(chat, 'MigrateConversation', { conversation: 'c', silo: 'silo-b' });
  seen.none = await unary(chat, 'DescribeConversation', { conversation: 'd' });
  seen.bad = await stream('RunTurn', { ...hi, messages: [] });
  seen.deadline = await stream('RunTurn', { ...hi, conversation: 'hang' }, { deadline: Date.now() + 300 });
  seen.left = await stream('RunTurn', { ...hi, conversation: 'hang' }, {}, call => call.cancel());
  console.log(JSON.stringify(seen));
  process.exit(0);
})();
