// The original's design: Express, Sequelize, Socket.IO and Postgres, one process.
//
// A bid loads the item with every earlier bid, checks the highest, inserts, and tells the room. Between
// the check and the insert lies a round trip without a lock: two bids may both pass. That is the point.
//
// node original.js 127.0.0.1:PORT postgres://… [bids that an auction already has]
import http from 'node:http';
import express from 'express';
import { Sequelize, DataTypes } from 'sequelize';
import { Server } from 'socket.io';
import { listen, sessions } from './door.js';

const [address, database, earlier = '0'] = process.argv.slice(2);
const sequelize = new Sequelize(database, { logging: false });
const User = sequelize.define('user', { nick: DataTypes.STRING });
const Good = sequelize.define('good', { name: DataTypes.STRING, price: DataTypes.INTEGER, endsAt: DataTypes.STRING });
const Bid = sequelize.define('bid', { bid: DataTypes.INTEGER, msg: DataTypes.STRING });
Good.hasMany(Bid);
Bid.belongsTo(Good);
Bid.belongsTo(User);

const app = express();
const server = http.createServer(app);
const io = new Server(server);
io.on('connection', (socket) => socket.on('join', (good) => socket.join(good)));
const signedIn = sessions();

app.use(express.json());
app.get('/api/v1/time', (_request, response) => response.json({ server_time: new Date().toISOString() }));
app.post('/api/v1/users', (request, response) => response.status(201).json({ nick: request.body.nick }));
app.post('/api/v1/sessions', async (request, response) => {
  const user = await User.create({ nick: request.body.email });
  response.status(201).json({ token: signedIn.signIn(user.id) });
});
app.post('/api/v1/auctions', async (request, response) => {
  const { title, start_price: price, ends_at: endsAt } = request.body;
  const good = await Good.create({ name: title, price, endsAt });
  const bids = Array.from({ length: Number(earlier) }, (_, index) => ({ bid: index + 1, goodId: good.id }));
  await Bid.bulkCreate(bids);
  response.status(201).json({ id: String(good.id), min_next: price + 1, ends_at: endsAt });
});

app.post('/api/v1/auctions/:id/bids', async (request, response) => {
  const refuse = (status, code, more) => response.status(status).json({ code, ...more });
  // As passport does: the session names the user, who is then read from the database.
  const user = await User.findByPk(signedIn.user(request) ?? 0);
  if (!user) return refuse(401, 'unauthenticated');
  const { bid_id: bidId, amount: bid, message: msg } = request.body;
  const good = await Good.findOne({
    where: { id: request.params.id },
    include: { model: Bid },
    order: [[{ model: Bid }, 'bid', 'DESC']],
  });
  if (!good) return refuse(404, 'not_found');
  if (good.price >= bid) return refuse(409, 'too_low', { min_next: good.price + 1 });
  if (new Date(good.endsAt) < new Date()) return refuse(409, 'closed');
  if (good.bids[0] && good.bids[0].bid >= bid) return refuse(409, 'too_low', { min_next: good.bids[0].bid + 1 });
  const row = await Bid.create({ bid, msg, userId: user.id, goodId: good.id });
  io.to(String(good.id)).emit('bid', { bid, msg, nick: user.nick });
  return response.status(201).json({
    status: 'accepted', bid_id: bidId, auction_id: request.params.id, seq: row.id, amount: bid,
    at: row.createdAt.toISOString(), min_next: bid + 1, ends_at: good.endsAt,
  });
});

await sequelize.sync();
listen(server, address);
